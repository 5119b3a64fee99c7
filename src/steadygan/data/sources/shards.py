"""Parquet and Arrow files as batches of rows, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

from steadygan.data.sources.items import Version, check_version
from steadygan.errors import ConfigError, DataError
from steadygan.names import in_utf8

SUFFIXES = (".parquet", ".arrow")

_BATCH = 32
_ARROW_FILE = b"ARROW1"


def schema(path: Path) -> Any:
    """The `pyarrow.Schema` of a file; ConfigError without pyarrow, DataError if the file is damaged."""
    with _reading(path):
        return _parquet(path).schema_arrow if _is_parquet(path) else _arrow(path).schema


def groups(path: Path) -> list[int]:
    """How many rows each group of a file has that can be read by itself."""
    with _reading(path):
        if not _is_parquet(path):
            return [sum(batch.num_rows for batch in _arrow_batches(path, []))]
        about = _parquet(path).metadata
        return [about.row_group(group).num_rows for group in range(about.num_row_groups)]


def batches(path: Path, group: int, columns: list[str]) -> Iterator[Any]:
    """`pyarrow.RecordBatch`es of the rows of a group, in order, of a few rows each where the format allows it.

    A file of Arrow is mapped into memory and not read. Raises DataError if the file is damaged.
    """
    with _reading(path):
        if _is_parquet(path):
            yield from _parquet(path).iter_batches(_BATCH, row_groups=[group], columns=columns, use_threads=False)
        else:
            yield from _arrow_batches(path, columns)


def value_at(path: Path, version: Version, group: int, row: int, column: str) -> Any:
    """One value of a group. Reading rows in order is cheap; going back reads the group from its beginning."""
    check_version(path, version)
    return _cursor(path, version, group, column).at(row)


class _Cursor:
    """The place in a column of a group where the last value was read."""

    def __init__(self, path: Path, group: int, column: str) -> None:
        self._asked = path, group, [column]
        self._begin()

    def _begin(self) -> None:
        self._values = chain.from_iterable(batch.column(0) for batch in batches(*self._asked))
        self._next = 0

    def at(self, row: int) -> Any:
        if row < self._next:
            self._begin()
        value = next(islice(self._values, row - self._next, None), None)
        if value is None:
            raise DataError(f"{self._asked[0]} has fewer rows than before; start again")
        self._next = row + 1
        return value.as_py()


@lru_cache(maxsize=2)
def _cursor(path: Path, version: Version, group: int, column: str) -> _Cursor:
    return _Cursor(path, group, column)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        import pyarrow as pa
    except ImportError as problem:
        raise ConfigError('reading .parquet and .arrow needs pyarrow: pip install "steadygan[hub]"') from problem
    broken = pa.ArrowException, OSError, UnicodeDecodeError  # the module may be gone when the program ends
    try:
        yield
    except broken as problem:
        reason = str(problem).strip().split("\n")[0]
        raise DataError(f"{path} cannot be read as {path.suffix} ({reason}); get it again") from problem


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def _parquet(path: Path) -> Any:
    from pyarrow import parquet

    # pages are read as they are needed: a single group of rows may hold a whole data set
    with in_utf8(path) as named:
        return parquet.ParquetFile(named, pre_buffer=False, buffer_size=2**20)


def _arrow(path: Path) -> Any:
    """A reader of either format of Arrow: the file with a table of contents, or the stream."""
    from pyarrow import ipc, memory_map

    with path.open("rb") as file:
        is_file = file.read(len(_ARROW_FILE)) == _ARROW_FILE
    with in_utf8(path) as named:
        mapped = memory_map(str(named))
    return ipc.open_file(mapped) if is_file else ipc.open_stream(mapped)


def _arrow_batches(path: Path, columns: list[str]) -> Iterator[Any]:
    reader = _arrow(path)
    numbered = hasattr(reader, "num_record_batches")
    for batch in map(reader.get_batch, range(reader.num_record_batches)) if numbered else reader:
        yield batch.select(columns)
