#!/bin/sh
# What a leaked test set is worth: the same training on a split by image (paper) and on one by group (strict): three seeds each,
# ten for the long training.
# Needs DRIFA_DATA (a folder with ham10000/, sipakmed/ and iqothnccd/). Two trainings run side by side, one CPU thread each.
set -eu
: "${DRIFA_DATA:?set DRIFA_DATA to the folder that holds ham10000/, sipakmed/ and iqothnccd/}"
for data in ham10000 sipakmed iqothnccd; do
    [ -d "studies/$data" ] || drifa data prepare $data "$DRIFA_DATA/$data" --out studies/$data
done
one() { # ARM FUSION EPOCHS SEEDS DATASET...: a seed is the seed of the split and of the network
    arm=$1 fusion=$2 epochs=$3 seeds=$4
    shift 4
    for data in "$@"; do for protocol in strict paper; do for seed in $seeds; do
        out=runs/leakage/$arm-$data-$protocol-$seed
        drifa train configs/quick/ham10000_sipakmed.yaml data.study=studies/$data data.protocol=$protocol \
            data.split_seed=$seed train.seed=$seed train.members=1 model.fusion=$fusion train.epochs=$epochs --out "$out" --quiet
        drifa evaluate "$out" --quiet
    done; done; done
}
(one concat concat 20 "0 1 2" ham10000 sipakmed iqothnccd && one long concat 60 "0 1 2 3 4 5 6 7 8 9" iqothnccd) &
one drifa drifa 4 "0 1 2" ham10000 sipakmed iqothnccd
wait
python results/leakage/summarise.py runs/leakage results/leakage
