"""Known datasets, one file each, two ways for own data, and the phantom."""
