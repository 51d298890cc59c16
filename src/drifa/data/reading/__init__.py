"""Image and volume files of every format, through one door."""

#: Raised whenever a reader makes other pixels or voxels of a file than before, or `drifa data prepare` another table: caches of
#: decoded files are then made anew, and studies that carry a lower number say so when they are opened.
READING = 2
