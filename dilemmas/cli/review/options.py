"""What several review commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.options import PlainHttpKey

if TYPE_CHECKING:
    from dilemmas.review.server import Server

__all__ = ["PlainHttpKey", "ServerFile", "connect"]

ServerFile = Annotated[
    Path | None,
    typer.Option(
        "--server",
        metavar="FILE",
        help="File with url and api_key. \\[LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY; else what serve wrote]",
    ),
]


def connect(file: Path | None, *, allow_plain_http_key: bool = False) -> Server:
    """The server the user means, logged in."""
    from dilemmas.review import connection
    from dilemmas.review.server import Server

    return Server(connection.find(file, allow_plain_http_key=allow_plain_http_key))
