#!/bin/sh
# DRIFA in SegNet and its controls on the BraTS subjects at hand, every subject tested once. Needs DRIFA_DATA (a folder with brats/).
# The seed of the network is the number of the fold. One subject of 2013 trains a network, three of 2018 do: three times the
# epochs give the same number of steps. Arguments, if any: the arms to run (all by default); runs that exist are kept.
set -eu
: "${DRIFA_DATA:?set DRIFA_DATA to the folder that holds brats/}"
for variant in brats2018_demo brats2013; do
    study=studies/${variant%_demo}
    [ -d "$study" ] || drifa data prepare brats "$DRIFA_DATA/brats" --out "$study" variant=$variant
done
one() { # STUDY FOLDS EPOCHS ARM SETTING...
    study=$1 folds=$2 epochs=$3 arm=$4
    shift 4
    fold=0
    while [ $fold -lt "$folds" ]; do
        out=runs/brats/$study-$arm-$fold
        if [ ! -f "$out/metrics.json" ]; then
            rm -rf "$out"
            drifa train configs/quick/brats.yaml data.study=studies/$study data.folds="$folds" data.fold=$fold \
                train.seed=$fold train.epochs="$epochs" train.lr_patience="$epochs" "$@" --out "$out" --quiet
            drifa evaluate "$out" --subsets --quiet
        fi
        fold=$((fold + 1))
    done
}
both() { # ARM SETTING...
    one brats2018 5 40 "$@"
    one brats2013 3 120 "$@"
}
for arm in ${*:-drifa concat flair group plateau}; do
    case $arm in
    drifa | concat) both "$arm" model.fusion="$arm" ;;
    flair) both flair model.fusion=single 'data.modalities=[flair]' ;;
    group) one brats2018 5 40 group model.fusion=concat model.norm=group ;;
    plateau) one brats2018 5 40 plateau model.fusion=concat train.lr_patience=5 ;;
    esac
done
if [ $# -eq 0 ]; then
    python results/brats/checks.py runs/brats results/brats
    python results/brats/summarise.py runs/brats results/brats
fi
