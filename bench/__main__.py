"""The command `python -m bench`: measure, print tables, and write all figures as JSON."""

from bench.cli import main

if __name__ == "__main__":
    main()
