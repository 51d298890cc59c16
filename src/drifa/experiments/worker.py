"""``python -m drifa.experiments.worker FOLDER [OTHER]...``: does the job on standard input, and prints last how it ended."""

from __future__ import annotations

import sys
from pathlib import Path

from drifa.experiments.jobs import run_job
from drifa.experiments.launch import from_text, outcome_text


def main() -> None:
    """Does the job and prints how it ended."""
    outcome = run_job(
        from_text(sys.stdin.read()), Path(sys.argv[1]), quiet=True, others=[Path(other) for other in sys.argv[2:]]
    )
    print(outcome_text(outcome))


if __name__ == "__main__":
    main()
