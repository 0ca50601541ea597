"""This engine and its yardstick beside other engines, round by round, in a harness that measures one engine in one process.

    python -m benchmarks.beside_peers --harness DIR --plan core --rounds 5 --out core.jsonl [--rows "ours:sqlite;langgraph:sqlite"]

The harness has a ``run.py`` with ``ROWS`` (name to module, backend, environment, flags), ``PLANS`` (name to cells and rows) and
``python(environment)``; rows of ours are added to it, what is left of the command line is its own. `benchmarks/peers/ours_peer.py` is
what it runs. Its ``report.py`` prints the tables.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
BACKENDS = ("sqlite", "postgres", "memory", "sqlite+grpc", "sqlite+stream", "postgres+grpc")


def main() -> None:
    """Runs the plan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harness", type=Path, required=True)
    options, rest = parser.parse_known_args()
    sys.path.insert(0, str(options.harness))
    run: Any = importlib.import_module("run")
    for backend in BACKENDS:
        run.ROWS[f"ours:{backend}"] = ("ours_peer", backend, "ours", ["--uvloop"])
    theirs = run.python
    run.python = lambda environment: sys.executable if environment == "ours" else theirs(environment)
    os.environ["PYTHONPATH"] = os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "benchmarks")))
    sys.argv = ["run.py", *rest]
    run.main()


if __name__ == "__main__":
    main()
