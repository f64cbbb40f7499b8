"""The embedded server's own process: reads its settings from standard input, serves until that closes.

Closing is the stop signal because it comes whatever happens to the parent, `kill -9` included.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Load the weights, say the address on standard output, then wait for the parent to go."""
    settings = json.loads(sys.stdin.readline())
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["weights"]
    params.model_alias = {settings["name"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings["key"]]
    params.n_ctx = settings["context"]
    params.n_parallel = 1
    params.cpuparams.n_threads = settings["threads"]
    params.cache_ram_mib = 512
    params.fit_params = False
    params.warmup = True
    params.ui = False
    params.endpoint_slots = False
    server = xllamacpp.Server(params)
    print(json.dumps({"address": server.listening_address}), flush=True)
    while sys.stdin.read(1 << 16):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
