"""Runs the offline verifier."""

from __future__ import annotations

import sys

from meshflow_grpc.audit.command import main

if __name__ == "__main__":
    sys.exit(main())
