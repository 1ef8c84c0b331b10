"""Entry of ``kolektor`` and ``python -m kolektor_cli``: ends as told even before it is loaded."""

from __future__ import annotations

import sys
from typing import NoReturn

from kolektor_cli.errors import KolektorError, reason


def main() -> None:
    """Load and run the command line."""
    try:
        from kolektor_cli.cli.app import main as run

        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except MemoryError:
        _refuse("memory ran out while it was loaded")
    except ImportError as error:
        _refuse(f"a library cannot be loaded: {error}; fix the installation, or allow more memory")
    except OSError as error:
        _refuse(f"it cannot be loaded: {error.filename}: {reason(error)}")


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"Error: {message}\n")
    raise SystemExit(KolektorError.exit_code)


if __name__ == "__main__":
    main()
