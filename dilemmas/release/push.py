"""Sending a release to a dataset repository of the Hugging Face hub: one commit, and a tag with its version.

Nothing is sent before the checksums hold and the repository is known to be new or to hold earlier versions.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dilemmas.errors import InputError
from dilemmas.release import hub, intact, layout, need
from dilemmas.release.intact import Release
from dilemmas.release.versions import Version

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_TARGET = re.compile(r"hf:([A-Za-z0-9][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9][A-Za-z0-9_.-]{0,95})")
_OWN = frozenset({".gitattributes"})
"""Files that the hub makes in a repository by itself."""
_EMPTY = frozenset({*_OWN, layout.README})
"""Files of a repository that nobody has put anything into."""


@dataclass(frozen=True)
class Plan:
    """What would be sent, and where."""

    version: Version
    repository: str
    """OWNER/NAME."""
    url: str
    """Its page."""
    sizes: dict[str, int]
    """Size of each file, bytes, by its path."""
    private: bool
    """Whether a new repository is seen by its owner only."""
    caveat: str
    """What the release says of dilemmas that people have not reviewed; empty where all are."""

    @property
    def tag(self) -> str:
        """The tag that marks the version."""
        return f"v{self.version}"


@dataclass(frozen=True)
class Pushed:
    """What was sent."""

    plan: Plan
    created: bool
    """Whether the repository was made for it."""
    removed: tuple[str, ...]
    """Files of the version before that this one lacks."""
    commit: str
    """Id of the commit that the tag is on."""
    remarks: tuple[str, ...]
    """What the hub said of the card."""


def plan(folder: Path, target: str, *, public: bool = False) -> Plan:
    """What pushing would send; asks no server.

    Args:
        folder: of the release.
        target: `hf:OWNER/NAME`.
        public: whether everybody may see a new repository.

    Raises:
        InputError: the folder is not the release that was built, or the target is none.
    """
    return _plan(intact.read(folder), target, public=public)


def push(folder: Path, target: str, *, public: bool = False) -> Pushed:
    """Send a release: make the repository if there is none, commit all files at once, and tag the commit.

    The token is HF_TOKEN, or the one that `hf auth login` has stored; HF_ENDPOINT may name another hub. The same call
    again goes on where an earlier one ended; a version that is tagged there is refused.

    Args:
        folder: of the release.
        target: `hf:OWNER/NAME`.
        public: whether everybody may see the repository. One that is there must be so, and is not changed.

    Raises:
        InputError: the folder is not the release that was built; there is no token; the hub refuses it, cannot be
            reached, or has this version, a later one, or something else in the repository.
    """
    need("huggingface_hub")
    release = intact.read(folder)
    planned = _plan(release, target, public=public)
    token = hub.token()
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub.endpoint(), token=token, library_name="dilemmas")
    with hub.quietly(), hub.told(planned.repository, token), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return _send(api, release, planned, caught)


def _plan(release: Release, target: str, *, public: bool) -> Plan:
    found = _TARGET.fullmatch(target)
    if found is None or "--" in target or ".." in target or target.endswith((".git", ".ipynb", ".", "-")):
        raise InputError(
            "is no repository of a hub", where=f"--to {target}", fix="Give hf:OWNER/NAME, such as hf:my-lab/dilemmas."
        )
    return Plan(
        version=release.version,
        repository=found[1],
        url=hub.page(found[1]),
        sizes={name: release.size(name) for name in release.files},
        private=not public,
        caveat=str(release.manifest.get("caveat", "")),
    )


def _send(api: HfApi, release: Release, planned: Plan, caught: list[warnings.WarningMessage]) -> Pushed:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    there = _there(api, planned)
    created = there is None
    if there is None:
        api.create_repo(planned.repository, repo_type="dataset", private=planned.private)
        there = frozenset()
    removed = tuple(sorted(there - _OWN - set(planned.sizes)))
    commit = api.create_commit(
        planned.repository,
        operations=[
            *(CommitOperationAdd(name, release.path(name)) for name in planned.sizes),
            *(CommitOperationDelete(name) for name in removed),
        ],
        commit_message=f"Release {planned.version}",
        repo_type="dataset",
    )
    api.create_tag(
        planned.repository,
        tag=planned.tag,
        tag_message=f"Release {planned.version}",
        revision=commit.oid,
        repo_type="dataset",
    )
    remarks = dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning))
    return Pushed(planned, created, removed, commit.oid, tuple(remarks))


def _there(api: HfApi, planned: Plan) -> frozenset[str] | None:
    """Files that the repository has; None where there is no repository.

    Raises:
        InputError: this release must not go there.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    where = planned.url
    try:
        info = api.dataset_info(planned.repository)
    except RepositoryNotFoundError as error:
        if error.response.status_code == 401:  # a hub that hides a repository, or does not know the token
            raise hub.refused(401, planned.repository) from None
        return None
    if bool(info.private) is not planned.private:
        kind, other = ("private", "public") if info.private else ("public", "private")
        fix = "Leave out --public" if info.private else "Give --public"
        raise InputError(
            f"the repository is {kind}, and the release would have been {other}",
            where=where,
            fix=f"{fix}, or change the repository's settings.",
        )
    refs = api.list_repo_refs(planned.repository, repo_type="dataset")
    versions = [version for ref in refs.tags if (version := _version(ref.name))]
    if planned.version in versions:
        raise InputError(
            f"version {planned.version} is there already", where=where, fix="A version that is out is not altered."
        )
    if versions and max(versions) > planned.version:
        raise InputError(
            f"has version {max(versions)}, which is later than {planned.version}",
            where=where,
            fix="Only a later version can follow.",
        )
    files = frozenset(one.rfilename for one in info.siblings or ())
    if not versions and not files <= _EMPTY and layout.MANIFEST not in files:
        raise InputError(
            f"holds something else: {', '.join(sorted(files - _EMPTY)[:3])}",
            where=where,
            fix="Choose a repository of its own; one that is not there is made.",
        )
    return files


def _version(tag: str) -> Version | None:
    try:
        return Version.parse(tag.removeprefix("v")) if tag.startswith("v") else None
    except InputError:
        return None


def as_json(planned: Plan, pushed: Pushed | None) -> dict[str, Any]:
    """What would be or was sent as plain data, for scripts."""
    return {
        "sent": pushed is not None,
        "version": str(planned.version),
        "tag": planned.tag,
        "repository": planned.repository,
        "url": planned.url,
        "private": planned.private,
        "files": planned.sizes,
        "bytes": sum(planned.sizes.values()),
        "caveat": planned.caveat,
        "created": None if pushed is None else pushed.created,
        "removed": None if pushed is None else list(pushed.removed),
        "commit": None if pushed is None else pushed.commit,
        "remarks": [] if pushed is None else list(pushed.remarks),
    }
