"""Run a program of Python until standard input closes: `python label_studio_child.py PROGRAM ARGUMENT ...`.

Closing is the stop signal because it comes whatever happens to the parent, `kill -9` included. Label
Studio's own Python runs this file, so nothing but the standard library is imported.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

LAST_WORD = 15.0
"""Time to end by itself, seconds."""


def _end_with(stream: int) -> None:
    while os.read(stream, 1 << 16):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_WORD)
    os._exit(1)


def main() -> None:
    """Become the program, which gets an empty standard input."""
    parent = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
