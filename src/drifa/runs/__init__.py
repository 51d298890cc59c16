"""The run folder: what a run is, what it says of itself, and what stands in it."""
