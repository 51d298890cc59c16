#!/bin/sh
# HAM10000: the image alone against the image with age, sex and site, on the same strict splits, three seeds.
# Needs DRIFA_DATA (a folder with ham10000/). A seed is the seed of the split and of the network.
set -eu
: "${DRIFA_DATA:?set DRIFA_DATA to the folder that holds ham10000/}"
for seed in 0 1 2; do
    study=studies/ham10000-$seed
    drifa data prepare ham10000 "$DRIFA_DATA/ham10000" --out "$study"
    drifa data split "$study" --protocol strict --seed $seed
    for arm in image metadata; do
        out=runs/metadata/$arm-$seed
        [ -f "$out/metrics.json" ] && continue
        extra=
        [ $arm = metadata ] && extra='data.tabular={metadata: [age, sex, localization]}'
        drifa train configs/quick/ham10000_sipakmed.yaml "data.study=$study" data.protocol=given train.seed=$seed train.members=1 \
            ${extra:+"$extra"} --out "$out" --quiet
        drifa evaluate "$out" --subsets --quiet
    done
done
python results/metadata/summarise.py runs/metadata results/metadata
