"""Trained generators on the Hugging Face Hub: the two files of one, downloaded once into the library's own cache."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qsl

from steadygan.data.sources.hub import PATIENCE, Unreachable, explained
from steadygan.errors import ConfigError, DataError
from steadygan.training.exported import CONFIG, WEIGHTS, read_config

_HUB = "hub:"
_REPO = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def is_on_hub(text: str | os.PathLike[str]) -> bool:
    """Whether a text names a model of the Hub, `hub:USER/NAME`, and no file of this machine."""
    return os.fspath(text).startswith(_HUB) and not Path(text).exists()


def local_copy(path: str | os.PathLike[str], revision: str | None = None) -> Path:
    """Where the files of a generator are: `path`, or after a download what lies at `hub:USER/NAME` on the Hub.

    A plain string USER/NAME means the Hub, too, if there is neither such a path nor a folder USER. `revision`, a tag, a
    branch or a commit, may also stand behind: `hub:USER/NAME?revision=v1`. ConfigError if it means nothing, DataError
    if it cannot be had.
    """
    text = os.fspath(path)
    if is_on_hub(text):
        repo, _, query = text.removeprefix(_HUB).partition("?")
        asked = dict(parse_qsl(query, keep_blank_values=True))
        if not _REPO.fullmatch(repo) or asked.keys() - {"revision"}:
            raise ConfigError(f"{text} names no model of the Hub; write hub:USER/NAME or hub:USER/NAME?revision=TAG")
        return _fetched(repo, revision or asked.get("revision"))
    here = Path(path)
    if isinstance(path, str) and _REPO.fullmatch(text) and not here.exists():
        if here.parent.exists():
            raise ConfigError(f"there is no run folder or exported file at {text}; a model of the Hub is {_HUB}{text}")
        return _fetched(text, revision)
    if revision is not None:
        raise ConfigError(f"revision {revision}: {text} lies on this machine; only {_HUB}USER/NAME has revisions")
    return here


@lru_cache(maxsize=8)
def _fetched(repo: str, revision: str | None) -> Path:
    """The folder of the two files after a download, or where an earlier one left them if the Hub does not answer."""
    where = f"{_HUB}{repo}"
    try:
        import huggingface_hub  # noqa: F401
    except ImportError as problem:
        raise ConfigError(f'{where} needs huggingface_hub: pip install "steadygan[hub]"') from problem
    try:
        return _fetch(repo, revision, local=False)
    except Unreachable as problem:
        try:
            return _fetch(repo, revision, local=True)
        except Unreachable:
            raise DataError(
                f"{where} cannot be downloaded ({problem}) and is not in the cache; check the connection, or download "
                "it elsewhere and give the folder"
            ) from problem


def _fetch(repo: str, revision: str | None, local: bool) -> Path:
    """Both files of one commit; the weights only after the other has said that they are of a generator."""
    from huggingface_hub import HfApi, hf_hub_download

    where = f"{_HUB}{repo}"
    with explained(where, f"https://huggingface.co/{repo}", revision):
        if not local:  # does not try for half a minute where there is no network
            about = HfApi().model_info(repo, revision=revision, timeout=PATIENCE)
            revision, there = about.sha, {file.rfilename for file in about.siblings or ()}
            if missing := {CONFIG, WEIGHTS} - there:
                raise DataError(f"{where} holds no generator of steadygan: no {' and no '.join(sorted(missing))}")
        config = Path(hf_hub_download(repo, CONFIG, revision=revision, local_files_only=local))
        read_config(config)
        return Path(hf_hub_download(repo, WEIGHTS, revision=revision, local_files_only=local)).parent
    raise Unreachable("there is no such revision")
