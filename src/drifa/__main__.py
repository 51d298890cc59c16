"""The command line: ``drifa``, or ``python -m drifa`` where scripts are not on the path."""

import sys


def main() -> None:
    """Loads the command line and runs it. Ctrl-C while it loads ends as later on: in a line, not in a traceback."""
    try:
        from drifa.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
