"""Image and volume files of every format, through one door."""
