#!/bin/sh
# The real run behind results/quick: three seeds each of drifa, concat and single on HAM10000 + SIPaKMeD, strict split.
# Needs DRIFA_DATA (a folder with ham10000/ and sipakmed/). Two trainings run side by side, one CPU thread each.
set -eu
: "${DRIFA_DATA:?set DRIFA_DATA to the folder that holds ham10000/ and sipakmed/}"
config=configs/quick/ham10000_sipakmed.yaml
[ -d studies/ham10000 ] || drifa data prepare ham10000 "$DRIFA_DATA/ham10000" --out studies/ham10000
[ -d studies/sipakmed ] || drifa data prepare sipakmed "$DRIFA_DATA/sipakmed" --out studies/sipakmed
one() {
    drifa train $config "model.fusion=$1" --out "runs/quick/$1" --quiet
    drifa evaluate "runs/quick/$1" --quiet
}
(one concat && one single) &
one drifa
wait
python results/quick/summarise.py runs/quick results/quick
