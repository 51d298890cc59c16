#!/bin/sh
# The network of results/scratch: sh results/scratch/run.sh [EPOCHS]
# Needs DRIFA_DATA (a folder with the datasets). With more EPOCHS than before it goes on where it stopped.
set -eu
: "${DRIFA_DATA:?set DRIFA_DATA to the folder that holds ham10000/ and sipakmed/}"
for name in ham10000 sipakmed; do
    [ -d "studies/$name" ] || drifa data prepare "$name" "$DRIFA_DATA/$name" --out "studies/$name"
done
out=runs/scratch/drifa-0
if [ -d "$out" ]; then
    drifa train --resume "$out" "train.epochs=${1:-14}" --quiet
else
    drifa train configs/paper/ham10000_sipakmed.yaml data.image_size=64 data.shift=2.5 train.members=1 train.threads=1 \
        "train.epochs=${1:-14}" evaluate.passes=0 --out "$out" --quiet
fi
drifa evaluate "$out" --quiet
python results/scratch/collect.py "$out"
