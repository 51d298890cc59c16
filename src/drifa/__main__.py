"""``python -m drifa``: the command line, where scripts are not on the path."""

from drifa.cli.main import main

if __name__ == "__main__":
    main()
