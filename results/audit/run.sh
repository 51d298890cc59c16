#!/bin/sh
# The run behind results/audit: five public datasets, audited, split both ways, mended, split again.
# Needs DRIFA_DATA (a folder with ham10000/, sipakmed/, nickparvar/, iqothnccd/, brats/).
set -eu
: "${DRIFA_DATA:?set DRIFA_DATA to the folder that holds the datasets}"
for name in ham10000 sipakmed nickparvar iqothnccd; do
    drifa data prepare "$name" "$DRIFA_DATA/$name" --out "studies/audit/$name"
done
drifa data prepare brats "$DRIFA_DATA/brats" variant=brats2018_demo --out studies/audit/brats
python results/audit/measure.py studies/audit results/audit/results.json
