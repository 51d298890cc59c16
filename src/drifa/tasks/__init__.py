"""Kinds of task: what an answer is, how it is learned, summarised and judged. One file per kind."""
