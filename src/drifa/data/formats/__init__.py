"""One module per family of image files. `drifa.data.images` and `drifa.data.volumes` are the doors; these are the rooms."""
