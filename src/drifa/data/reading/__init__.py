"""Image and volume files of every format, through one door."""

#: Raised whenever a reader makes other pixels or voxels of a file than before: caches of decoded files are then made anew.
READING = 2
