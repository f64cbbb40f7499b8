"""Keeps a server's command: runs it until standard input closes, then ends it with all that it started.

Closing is the stop signal because it comes whatever happens to the parent, `kill -9` included. Standard output is
closed when the command has ended; what it says goes to standard error. Whoever starts this gives it a session of
its own. It leaves that process at once, since Ray kills the children of an actor that dies, and a keeper that is
killed can end nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

GRACE = 10.0
"""Seconds that a server is given to end by itself."""


def main() -> None:
    """Run the command in the arguments."""
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, lambda *_: None)  # it is sent to the whole group, this process included
    try:
        server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr)
    except OSError as error:
        print(f"{sys.argv[1]}: {error.strerror}", file=sys.stderr)
        sys.exit(1)
    threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    print(f"ended with code {server.wait()}", file=sys.stderr, flush=True)
    os.killpg(0, signal.SIGKILL)  # what the server has left behind, and this process


def _end_with_parent(server: subprocess.Popen[bytes]) -> None:
    while sys.stdin.buffer.read(1 << 16):
        pass
    os.killpg(0, signal.SIGTERM)
    try:
        server.wait(GRACE)
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    main()
