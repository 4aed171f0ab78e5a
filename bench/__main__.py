"""The command `python -m bench`: measures, prints tables and keeps every figure as JSON."""

from bench.cli import main

if __name__ == "__main__":
    main()
