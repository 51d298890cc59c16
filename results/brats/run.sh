#!/bin/sh
# DRIFA in SegNet and its controls on the BraTS subjects at hand, every subject tested once. Needs DRIFA_DATA (a folder with brats/).
# The seed of the network is the number of the fold.
set -eu
: "${DRIFA_DATA:?set DRIFA_DATA to the folder that holds brats/}"
[ -d studies/brats2018 ] || drifa data prepare brats "$DRIFA_DATA/brats" --out studies/brats2018 variant=brats2018_demo
one() { # NAME STUDY FOLDS FOLD SETTING...
    name=$1 study=$2 folds=$3 fold=$4
    shift 4
    out=runs/brats/$study-$name-$fold
    [ -f "$out/metrics.json" ] && return
    rm -rf "$out"
    drifa train configs/quick/brats.yaml data.study=studies/$study data.folds=$folds data.fold=$fold train.seed=$fold "$@" --out "$out" --quiet
    drifa evaluate "$out" --subsets --quiet
}
for fold in 0 1 2; do # three of the five subjects are tested
    one drifa brats2018 5 $fold model.fusion=drifa
    one concat brats2018 5 $fold model.fusion=concat
    one flair brats2018 5 $fold model.fusion=single 'data.modalities=[flair]'
done
python results/brats/summarise.py runs/brats results/brats
