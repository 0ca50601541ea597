"""Becomes the command it is given, after asking Linux to end it when the parent dies.

Run as `python -IS launch.py PARENT_PID COMMAND...`: a program of its own, because code between fork and exec is not safe in a
process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replaces this process; exits at once when the parent is gone already."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the parent process is gone")
    os.execv(command[0], command)  # noqa: S606 - the command is ours


if __name__ == "__main__":
    main()
