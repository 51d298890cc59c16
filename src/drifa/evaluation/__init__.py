"""Metrics, their intervals, and the evaluation of a run."""
