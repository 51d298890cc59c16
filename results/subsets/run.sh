#!/bin/sh
# The phantom's tasks from every subset of its modalities: one network of three seeds, trained with modality dropout.
set -eu
[ -d studies/phantom ] || drifa data prepare phantom --out studies/phantom
for fusion in drifa concat; do
    drifa train configs/quick/phantom.yaml model.fusion=$fusion --out runs/subsets/$fusion --quiet
    drifa evaluate runs/subsets/$fusion --subsets --quiet
done
python results/subsets/summarise.py runs/subsets results/subsets
