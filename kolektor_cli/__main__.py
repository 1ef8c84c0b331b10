"""``python -m kolektor_cli`` is ``kolektor``."""

from kolektor_cli.cli import main

if __name__ == "__main__":
    main()
