"""From subjects to batches: pairing, augmentation, batches of images and of slices."""
