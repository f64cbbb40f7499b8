"""A study on many machines, by way of Ray: actors that ask, and one desk that keeps what they are answered.

Ray Data (https://docs.ray.io/en/latest/data/data.html) hands out stretches of the plan to a pool of actors. Each
runs the ordinary runner (`asker`) against a server of its own, and takes its trials from and brings its answers to
the desk, a process on the driver's machine that alone writes to the run's store.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass

from dilemmas.config import RunConfig
from dilemmas.errors import InputError
from dilemmas.models import in_process


@dataclass(frozen=True)
class Cluster:
    """Where a study is asked, and by how many."""

    address: str = "local"
    """`local` (a cluster on this machine for the length of the run), `auto`, or HOST:PORT of a cluster's head."""
    actors: int | None = None
    """Actors that ask, each with its own server; by default one a node, a GPU share or an address."""
    gpus_per_actor: float = 0.0
    """GPUs each actor is given, which Ray makes the only ones its server sees."""
    serve: str = ""
    """Command with which each actor starts its server; `{model}` and `{port}` are filled in. Empty where none is."""

    def check(self, config: RunConfig) -> None:
        """Refuse settings that do not go together.

        Raises:
            InputError: names the option.
        """
        if self.address.startswith("ray://"):
            raise InputError(
                "the Ray client cannot hold a run's store",
                where=f"--address {self.address}",
                fix="Run this command on a node of the cluster, with --address auto.",
            )
        if self.address not in ("local", "auto") and not self.address.rpartition(":")[2].isdecimal():
            raise InputError(
                "is no address of a cluster",
                where=f"--address {self.address}",
                fix="Give local, auto, or the head's HOST:PORT, such as 10.0.0.1:6379.",
            )
        if self.actors is not None and self.actors < 1:
            raise InputError("must be at least 1", where="--actors", fix="Leave it out for one a node.")
        gpus = self.gpus_per_actor
        if not math.isfinite(gpus) or gpus < 0 or (gpus > 1 and gpus % 1):
            raise InputError(
                "must be a part of one, or a whole number", where="--gpus-per-actor", fix="Leave it out for none."
            )
        if not self.serve:
            return
        try:
            shlex.split(self.serve)
        except ValueError as error:
            raise InputError(
                f"cannot be read as a command: {error}", where="--serve", fix="Close what is open."
            ) from None
        if "{port}" not in self.serve:
            raise InputError(
                "does not say on which port the server is to listen",
                where="--serve",
                fix="Write {port} where it stands, as in: --serve 'vllm serve {model} --port {port}'.",
            )
        for model in config.models:
            if in_process(model.name) or model.base_url:
                raise InputError(
                    f"starts a server for {model.name}, which has one already",
                    where="--serve",
                    fix="Leave out --serve or --base-url, and name the server's model with --model.",
                )
