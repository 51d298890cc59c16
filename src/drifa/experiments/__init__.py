"""Experiments: arms x seeds x folds under one budget, and whether their difference is real."""
