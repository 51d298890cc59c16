"""Training: the Lightning module, the loss, the run folder."""
