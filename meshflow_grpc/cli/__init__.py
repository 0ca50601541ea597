"""The ``meshflow`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line and ends the process; every failure is a message of three lines, never a traceback."""
    from meshflow_grpc.cli.failures import report
    from meshflow_grpc.cli.root import app

    try:
        app(prog_name="meshflow")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the outermost boundary: whatever went wrong is told in words
        sys.exit(report(error))
