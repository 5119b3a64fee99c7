"""Files with learned weights: where they come from, and whether they are the ones they should be."""

from __future__ import annotations

import hashlib
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from steadygan.errors import DataError
from steadygan.names import path_of


class Published(NamedTuple):
    """A file that its authors publish: address, SHA-256 (or its first digits), and the name it is kept under."""

    url: str
    digest: str
    file: str


class Weights(NamedTuple):
    """A file on this machine, its SHA-256, and whether it is the published one."""

    path: Path
    digest: str
    published: bool

    @property
    def stamp(self) -> str:
        """What a fingerprint says about them."""
        return f"{'weights' if self.published else 'other-weights'}={self.digest[:12]}"


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def find_weights(kind: str, published: Published, given: Path | None) -> Weights:
    """The file `given`, whichever it is, else the published one, downloaded to torch's own cache if need be.

    Raises DataError if there is no such file, if it cannot be downloaded, or if it is broken.
    """
    path = _downloaded(kind, published) if given is None else path_of(given)
    if not path.is_file():
        raise DataError(f"there is no file {path} with weights for {kind} features; download {published.url}")
    weights = Weights(path, digest := digest_of(path), digest.startswith(published.digest))
    if given is None and not weights.published:
        raise DataError(
            f"{path} is not what {published.url} should give: its SHA-256 begins with {digest[:12]} and not "
            f"{published.digest[:12]}; delete it and try again"
        )
    return weights


def read_tensors(kind: str, path: Path) -> dict[str, Tensor]:
    """Named tensors saved by torch.save. Raises DataError for anything else, above all for a file with code in it."""
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DataError(f"{path} cannot be read as weights for {kind} features: {first_line(error)}") from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise DataError(f"{path} does not hold weights for {kind} features, but something else")
    return tensors


def first_line(error: Exception) -> str:
    """What an error says, without the rest of it."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _downloaded(kind: str, published: Published) -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / published.file
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(published.url, str(path), progress=False)
    except (OSError, HTTPException, RuntimeError) as error:
        raise DataError(
            f"the weights for {kind} features cannot be downloaded ({first_line(error)}); "
            f"fetch {published.url} on another machine and set `weights` of {kind} to that file"
        ) from error
    return path
