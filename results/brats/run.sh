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
    drifa | concat) one "$2" "$3" "$4" "$1" model.fusion=$1 data.flip=0 data.intensity=0.3 train.epochs=20 ;;
    flair)
        one "$2" "$3" "$4" flair model.fusion=single 'data.modalities=[flair]' data.flip=0 data.intensity=0.3 train.epochs=20
        ;;
    plain) one "$2" "$3" "$4" plain model.fusion=concat data.flip=0 train.epochs=20 ;;
    flip) one "$2" "$3" "$4" flip model.fusion=concat ;;
    group) one "$2" "$3" "$4" group model.fusion=concat model.norm=group train.epochs=20 ;;
    esac
}
for arm in ${*:-drifa concat flair plain flip group}; do
    for fold in 0 1 2 3 4; do arm "$arm" brats2018 5 $fold; done
    case $arm in flip | group) continue ;; esac
    for fold in 0 1 2; do arm "$arm" brats2013 3 $fold; done
done
if [ $# -eq 0 ]; then
    python results/brats/checks.py runs/brats results/brats
    python results/brats/summarise.py runs/brats results/brats
fi
