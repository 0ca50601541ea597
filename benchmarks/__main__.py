"""Lists the benchmarks, or runs those named: `python -m benchmarks run_service`."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys

import benchmarks

RUNNABLE = ("governed_run", "run_service", "start_up")


def main() -> None:
    """Without names, the quick ones run; the others are listed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(RUNNABLE), help=f"default: {' '.join(RUNNABLE)}")
    known = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name != "__main__"]
    for name in parser.parse_args().names:
        if name not in known:
            sys.exit(f"no benchmark {name!r}; there are: {', '.join(known)}")
        sys.stdout.write(f"== {name}\n")
        sys.argv = [name]
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
