"""``python -m meshflow_grpc`` is ``meshflow``."""

from __future__ import annotations

from meshflow_grpc.cli import main

if __name__ == "__main__":
    main()
