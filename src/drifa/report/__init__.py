"""The HTML report of a run: one self-contained file that a hospital can read, print and archive."""

from drifa.report.write import write_report

__all__ = ["write_report"]
