#!/bin/sh
# The phantom's tasks from every subset of its modalities, by every fusion that takes several: networks of three seeds each, trained
# with modality dropout. Arguments, if any: the fusions to run (all by default); runs that exist are kept.
set -eu
[ -d studies/phantom ] || drifa data prepare phantom --out studies/phantom
for fusion in ${*:-drifa concat se_matched gloria mttu_net caf mtf_ma}; do
    [ -f runs/subsets/$fusion/metrics.json ] && continue
    rm -rf runs/subsets/$fusion
    drifa train configs/quick/phantom.yaml model.fusion=$fusion --out runs/subsets/$fusion --quiet
    drifa evaluate runs/subsets/$fusion --subsets --quiet
done
if [ $# -eq 0 ]; then
    python results/subsets/summarise.py runs/subsets results/subsets
fi
