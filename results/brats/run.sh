#!/bin/sh
# DRIFA in SegNet and its controls on the BraTS subjects at hand, every subject tested once. Needs DRIFA_DATA (a folder with brats/).
# The seed of the network is the number of the fold. Arguments, if any: the arms to run (all by default).
set -eu
: "${DRIFA_DATA:?set DRIFA_DATA to the folder that holds brats/}"
for variant in brats2018_demo brats2013; do
    study=studies/${variant%_demo}
    [ -d "$study" ] || drifa data prepare brats "$DRIFA_DATA/brats" --out "$study" variant=$variant
done
one() { # STUDY FOLDS FOLD ARM SETTING...
    study=$1 folds=$2 fold=$3 arm=$4
    shift 4
    out=runs/brats/$study-$arm-$fold
    [ -f "$out/metrics.json" ] && return
    rm -rf "$out"
    drifa train configs/quick/brats.yaml data.study=studies/$study data.folds=$folds data.fold=$fold train.seed=$fold "$@" --out "$out" --quiet
    drifa evaluate "$out" --subsets --quiet
}
arm() { # ARM STUDY FOLDS FOLD
    case $1 in
    drifa | concat) one "$2" "$3" "$4" "$1" model.fusion=$1 ;;
    flair) one "$2" "$3" "$4" flair model.fusion=single 'data.modalities=[flair]' ;;
    plain) one "$2" "$3" "$4" plain model.fusion=concat data.intensity=0 ;;
    esac
}
for arm in ${*:-drifa concat flair plain}; do
    for fold in 0 1 2 3 4; do arm "$arm" brats2018 5 $fold; done
    for fold in 0 1 2; do arm "$arm" brats2013 3 $fold; done
done
[ $# -gt 0 ] || python results/brats/summarise.py runs/brats results/brats
