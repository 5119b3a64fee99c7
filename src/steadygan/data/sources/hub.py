"""Data sets on the Hugging Face Hub."""

from __future__ import annotations

import errno
import glob
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from steadygan.data.sources.annotations import is_notes
from steadygan.data.sources.archives import inside
from steadygan.data.sources.columns import rows_of, splits_of
from steadygan.data.sources.folder import Folder
from steadygan.data.sources.items import IMAGE_SUFFIXES, Found, Item, Rejection, archive_stem, is_archive
from steadygan.data.sources.labels import SPLITS
from steadygan.errors import ConfigError, DataError, SteadyganError, StorageError
from steadygan.part import Value

_CONVERTED = "refs/convert/parquet"
PATIENCE = 30  # seconds
_PARTIAL = "partial-"
_NOTES = ("metadata.csv", "metadata.jsonl", "dataset.json")


class Hub(Value):
    """A data set of huggingface.co, downloaded once into its own cache.

    Its Parquet files are used, else those that the Hub made of it, else its images and archives of images.
    `config`, `split` and `revision` are the Hub's; `image` and `label` are columns, as for `Columns`.
    """

    kind: Literal["hub"] = "hub"
    repo: str
    config: str | None = None
    split: str | None = None
    revision: str | None = None
    image: str | None = None
    label: str | None = None

    @property
    def name(self) -> str:
        """What the source is called among others."""
        return self.repo.rpartition("/")[2]

    @property
    def where(self) -> str:
        """What to call the source in messages."""
        return f"hub:{self.repo}"

    @property
    def page(self) -> str:
        """Its page for people."""
        return f"https://huggingface.co/datasets/{self.repo}"

    def entries(self) -> Iterator[Found]:
        """The images of the data set; ConfigError or DataError if it cannot be had or holds no images."""
        place = _downloaded(self)
        if place.is_parquet:
            files = [place.folder / file for file in place.files]
            yield from rows_of(place.folder, files, self.image, self.label)
            if any(part.startswith(_PARTIAL) for file in place.files for part in PurePosixPath(file).parts):
                yield Rejection(self.where, "is larger than what the Hub keeps as Parquet: only its first part is used")
            return
        archives = [file for file in place.files if is_archive(file)]
        for entry in Folder(path=place.folder).entries():
            if isinstance(entry, Rejection) and is_notes(entry.file) and archives:
                continue  # it may speak of what is in them
            if not isinstance(entry, Item) or self.split in (None, *PurePosixPath(entry.name).parts):
                yield entry
        for file in archives:
            yield from inside(place.folder / file, archive_stem(file))


class _Place(NamedTuple):
    """Where the files of a data set lie on this machine."""

    folder: Path
    files: tuple[str, ...]
    is_parquet: bool


@lru_cache(maxsize=4)
def _downloaded(source: Hub) -> _Place:
    """Where the files are after a download, or were left by an earlier one if the Hub cannot be reached."""
    try:
        import huggingface_hub  # noqa: F401
    except ImportError as problem:
        raise ConfigError(f'{source.where} needs huggingface_hub: pip install "steadygan[hub]"') from problem
    try:
        return _fetch(source, local=False)
    except Unreachable as problem:
        try:
            return _fetch(source, local=True)
        except (Unreachable, DataError):
            raise DataError(
                f"{source.where} cannot be downloaded ({problem}) and is not whole in the cache; "
                "check the connection, or download it elsewhere and give the folder"
            ) from problem


class Unreachable(Exception):
    """The Hub does not answer, or a download of earlier is not there."""


def _fetch(source: Hub, local: bool) -> _Place:
    places = [(source.revision, True), (_CONVERTED, True), (source.revision, False)]
    if source.revision is not None:
        places.remove((_CONVERTED, True))  # it is made of the newest revision
    for revision, is_parquet in places:
        listed = list[str]()
        with explained(source.where, source.page, revision):
            listed = _listed(source.repo, revision, local)
        files = _chosen(source, [file for file in listed if _is_wanted(file, is_parquet)])
        if files:
            patterns = [glob.escape(file) for file in files] if is_parquet and not local else _patterns(source, files)
            with explained(source.where, source.page, revision):
                return _Place(_snapshot(source.repo, revision, local, patterns), tuple(files), is_parquet)
            raise Unreachable("the download broke off")
    raise DataError(f"{source.where} holds neither Parquet files nor images or archives of images")


def _listed(repo: str, revision: str | None, local: bool) -> list[str]:
    from huggingface_hub import HfApi

    if not local:
        # unlike the calls that list the tree, this one does not try for half a minute when there is no network
        about = HfApi().dataset_info(repo, revision=revision, timeout=PATIENCE)
        return [file.rfilename for file in about.siblings or ()]
    folder = _snapshot(repo, revision, local, ["-"])
    return [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]


def _snapshot(repo: str, revision: str | None, local: bool, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        repo, repo_type="dataset", revision=revision, allow_patterns=patterns, local_files_only=local
    )
    return Path(folder)


@contextmanager
def explained(where: str, page: str, revision: str | None) -> Iterator[None]:
    """What the Hub refuses becomes one line. That it has made no Parquet files ends the block and is no error.

    `where` is what it was asked for, with its `page` for people. What else is in the way is Unreachable.
    """
    from huggingface_hub import errors

    refusals = (
        (errors.GatedRepoError, f"wants its terms accepted at {page}; do so and log in with 'hf auth login'"),
        (errors.RepositoryNotFoundError, "is not there, or is private; check the name, or log in with 'hf auth login'"),
        (errors.RevisionNotFoundError, f"has no revision {revision!r}; see {page}/tree/main"),
        (errors.HFValidationError, "is no name on the Hub; write hub:USER/NAME"),
    )
    try:
        yield
    except SteadyganError:
        raise
    except Exception as problem:
        missing = isinstance(problem, errors.RevisionNotFoundError | errors.LocalEntryNotFoundError)
        if missing and revision == _CONVERTED:
            return
        for kind, words in refusals:
            if isinstance(problem, kind):
                raise ConfigError(f"{where} {words}") from problem
        if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(f"{where} does not fit on the disk; set HF_HOME to a folder on another") from problem
        raise Unreachable(str(problem).strip().split("\n")[0] or type(problem).__name__) from problem


def _is_wanted(file: str, is_parquet: bool) -> bool:
    suffix = PurePosixPath(file).suffix.lower()
    if is_parquet:
        return suffix == ".parquet"
    return suffix in IMAGE_SUFFIXES or PurePosixPath(file).name in _NOTES or is_archive(file)


def _chosen(source: Hub, files: Sequence[str]) -> list[str]:
    """The files of the configuration and split that are asked for; ConfigError if they are not there, or unclear."""
    tops = {PurePosixPath(file).parts[0] for file in files if "/" in file}
    configs = sorted(top for top in tops if top.lower() not in SPLITS and top.removeprefix(_PARTIAL) not in SPLITS)
    is_parquet = all(file.endswith(".parquet") for file in files)
    if source.config is None and is_parquet and len(configs) > 1:
        raise ConfigError(
            f"{source.where} has several configurations ({', '.join(configs)}); say which as ?config=NAME"
        )
    if source.config is not None and files:
        files = [file for file in files if source.config in PurePosixPath(file).parts]
        if not files:
            raise ConfigError(f"{source.where} has no configuration {source.config!r}; there are {', '.join(configs)}")
    if source.split is None or not files:
        return sorted(files)
    splits = {file: [name.removeprefix(_PARTIAL) for name in splits_of(PurePosixPath(file))] for file in files}
    found = [file for file in files if source.split in splits[file] or PurePosixPath(file).name in _NOTES]
    if not any(source.split in splits[file] for file in found):
        known = ", ".join(sorted({name for names in splits.values() for name in names if name in SPLITS})) or "none"
        raise ConfigError(f"{source.where} has no split {source.split!r}; there are {known}")
    return sorted(found)


def _patterns(source: Hub, files: Sequence[str]) -> list[str]:
    """Patterns for files too many to be listed one by one."""
    split = "" if source.split is None else f"*{glob.escape(source.split)}"
    return sorted({f"{split}*{PurePosixPath(file).suffix}" for file in files} | {f"*{name}" for name in _NOTES})
