"""The Hugging Face hub as its own library speaks with it: address, token, and what can go wrong, in our words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from dilemmas.config import is_loopback
from dilemmas.errors import InputError
from dilemmas.models.keys import Secret

HUB = "https://huggingface.co"
"""Where a repository is unless HF_ENDPOINT names another hub."""


def endpoint() -> str:
    """Address of the hub.

    Raises:
        InputError: a token would travel unencrypted to another machine.
    """
    address = (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
    if not address.startswith("https://") and not is_loopback(address):
        raise InputError("is no address with https", where="HF_ENDPOINT", fix=f"Unset it, or give {HUB}.")
    return address


def page(repository: str) -> str:
    """Address of a dataset repository's page."""
    return f"{endpoint()}/datasets/{repository}"


def token() -> str:
    """The token of this shell (HF_TOKEN), or the one that `hf auth login` has stored.

    Raises:
        InputError: there is none.
    """
    from huggingface_hub import get_token

    found = get_token()
    if not found:
        raise InputError(
            f"there is no token for {endpoint()}",
            where="HF_TOKEN",
            fix="export HF_TOKEN=... in this shell (a token that may write), or run `hf auth login`.",
        )
    return found


@contextmanager
def quietly() -> Iterator[None]:
    """Without the library's bars: a release is small, and they would stand between the lines of an error."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


@contextmanager
def told(repository: str, key: str) -> Iterator[None]:
    """Errors of the library as ours, without the token.

    Args:
        repository: OWNER/NAME that is spoken about.
        key: the token, which a hub may repeat.

    Raises:
        InputError: the block ended in an error of the hub or on the way to it.
    """
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    secret = Secret(key)
    try:
        yield
    except HfHubHTTPError as error:
        raise refused(error.response.status_code, repository, secret.out_of(error.server_message or "")) from None
    except OfflineModeIsEnabled:
        raise InputError("is set, so nothing can be sent", where="HF_HUB_OFFLINE", fix="Unset it.") from None
    except (httpx2.HTTPError, ConnectionError, TimeoutError, RuntimeError) as error:  # RuntimeError: of hf_xet
        raise InputError(
            f"the hub cannot be reached: {secret.out_of(str(error)) or type(error).__name__}",
            where=page(repository),
            fix="Check the connection and HF_ENDPOINT, then run the same command again: it goes on where this ended.",
        ) from None
    except ValueError as error:  # the hub's reply is not what the library expects, or it refuses the card
        raise InputError(secret.out_of(str(error)), where=page(repository), fix="Mend it and push again.") from None


def refused(status: int, repository: str, words: str = "") -> InputError:
    """What an HTTP status of the hub means, and what to do about it; `words` are its own."""
    owner = repository.partition("/")[0]
    known: dict[int, tuple[str, str]] = {
        401: ("the hub does not know the token", "Make a new one in the hub's settings and put it into HF_TOKEN."),
        403: (f"the token may not write to {owner}", f"Use a token with write access to {owner}, or another owner."),
        404: ("the hub has no such place", "Check OWNER/NAME and HF_ENDPOINT."),
        409: ("somebody else is changing the repository, or made it just now", "Run the same command again."),
        429: ("the hub wants fewer requests", "Wait some minutes and run the same command again."),
    }
    what, fix = known.get(status, ("the hub failed", "Run the same command again; it goes on where this ended."))
    return InputError(f"{what} ({status}{f': {words}' if words else ''})", where=page(repository), fix=fix)
