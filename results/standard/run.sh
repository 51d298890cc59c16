#!/bin/sh
# One network of results/standard: sh results/standard/run.sh FUSION SEED [CONFIG]
# Needs DRIFA_DATA (a folder with the datasets) and WEIGHTS (tf_efficientnet_lite0.safetensors with timm's tensor names).
set -eu
: "${DRIFA_DATA:?set DRIFA_DATA to the folder that holds ham10000/ and sipakmed/}"
: "${WEIGHTS:?set WEIGHTS to the weights file of tf_efficientnet_lite0}"
config=${3:-ham10000_sipakmed}
for name in $(echo "$config" | tr _ ' '); do
    [ -d "studies/$name" ] || drifa data prepare "$name" "$DRIFA_DATA/$name" --out "studies/$name"
done
[ "$config" = ham10000_sipakmed ] || [ -f studies/nickparvar/audited ] || {
    drifa data audit studies/nickparvar --fix groups || true
    touch studies/nickparvar/audited
}
out="runs/standard/$config-$1-$2"
drifa train "configs/standard/$config.yaml" "model.fusion=$1" "train.seed=$2" "model.pretrained=$WEIGHTS" \
    train.members=1 evaluate.passes=0 --out "$out" --quiet
drifa evaluate "$out" --quiet
python results/standard/collect.py "$out"
