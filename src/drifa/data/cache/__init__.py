"""Decoded images and slices on disk, memory-mapped."""
