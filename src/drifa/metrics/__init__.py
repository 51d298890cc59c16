"""Arrays in, numbers out: metrics, curves and intervals. Usable for any model."""
