"""Entry of ``kolektor`` and ``python -m kolektor_cli``; handles errors while the package loads."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn

from kolektor_cli.errors import KolektorError, reason, why_not_loaded
from kolektor_cli.version import __version__


def main() -> None:
    """Load and run the command line."""
    if sys.argv[1:] in (["--version"], ["-V"]) and sys.stdout:
        # To load the command line takes many times as long.
        with suppress(BrokenPipeError):
            os.write(sys.stdout.fileno(), f"kolektor {__version__}\n".encode())
        raise SystemExit(0)
    try:
        from kolektor_cli.cli.app import main as run

        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except MemoryError:
        _refuse("memory ran out while it was loaded")
    except ImportError as error:
        _refuse(why_not_loaded(error))
    except OSError as error:
        _refuse(f"it cannot be loaded: {error.filename}: {reason(error)}")


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"Error: {message}\n")
    raise SystemExit(KolektorError.exit_code)


if __name__ == "__main__":
    main()
