"""How a model is asked and its reply is read: one file for each protocol.

Both give the same Response. Reading is deterministic and can be run again on stored replies.
"""

from __future__ import annotations

from typing import Protocol

from dilemmas.models import Request
from dilemmas.protocols import logprob, reasoned
from dilemmas.schema import Capabilities, ProtocolName, Reply, Response, Sampling, Trial

__all__ = ["PARSER_VERSION", "PROTOCOLS", "AskingProtocol"]

PARSER_VERSION = 2
"""Version of the reading of replies; raised whenever some reply would be read differently."""


class AskingProtocol(Protocol):
    """What a module of this folder offers."""

    @property
    def NAME(self) -> ProtocolName:  # noqa: N802
        """Its name; the template `ask/NAME.j2` tells the model how to reply."""
        ...

    def mode(self, capabilities: Capabilities) -> str:
        """How the form of the reply is imposed on this server.

        Raises:
            SetupError: the server cannot do what the protocol needs.
        """
        ...

    def sampling(self, wanted: Sampling, capabilities: Capabilities) -> Sampling:
        """The sampling that is really used."""
        ...

    def request(self, trial: Trial, options: tuple[str, ...]) -> Request:
        """What is sent for a trial."""
        ...

    def read(self, reply: Reply, order: tuple[str, ...], texts: tuple[str, ...]) -> Response:
        """What a reply says.

        Args:
            reply: as the server sent it.
            order: option codes in the order shown.
            texts: their words, in the same order.
        """
        ...


PROTOCOLS: dict[ProtocolName, AskingProtocol] = {"reasoned": reasoned, "logprob": logprob}
"""The protocols by name."""
