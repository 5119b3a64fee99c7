"""Parquet and Arrow files as batches of rows, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
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
    if path.suffix.lower() == ".parquet":
        return _read(path, lambda: _parquet(path).schema_arrow)
    return _read(path, lambda: _arrow(path).schema)


def groups(path: Path) -> int:
    """How many groups of rows a file has that can be read by themselves."""
    return int(_read(path, lambda: _parquet(path).num_row_groups)) if path.suffix.lower() == ".parquet" else 1


def batches(path: Path, group: int, columns: list[str]) -> Iterator[Any]:
    """`pyarrow.RecordBatch`es of the rows of a group, in order, of a few rows each where the format allows it.

    Without columns they have nothing but a length. A file of Arrow is mapped into memory and not read. Raises DataError
    if the file is damaged.
    """
    found = _batches(path, group, columns)
    while (batch := _read(path, lambda: next(found, None))) is not None:
        yield batch


def value_at(path: Path, version: Version, group: int, row: int, column: str) -> Any:
    """One value of a group. Reading rows in order is cheap; going back reads the group from its beginning."""
    check_version(path, version)
    return _cursor(path, version, group, column).at(row)


class _Cursor:
    """The place in a group of rows where the last value was read."""

    def __init__(self, path: Path, group: int, column: str) -> None:
        self._asked = path, group, [column]
        self._begin()

    def _begin(self) -> None:
        self._batches = batches(*self._asked)
        self._start, self._rows, self._column = 0, 0, None

    def at(self, row: int) -> Any:
        if row < self._start:
            self._begin()
        while row >= self._start + self._rows:
            batch = next(self._batches, None)
            if batch is None:
                raise DataError(f"{self._asked[0]} has fewer rows than before; start again")
            self._start, self._rows, self._column = self._start + self._rows, batch.num_rows, batch.column(0)
        assert self._column is not None
        return self._column[row - self._start].as_py()


@lru_cache(maxsize=2)
def _cursor(path: Path, version: Version, group: int, column: str) -> _Cursor:
    return _Cursor(path, group, column)


def _read(path: Path, action: Any) -> Any:
    arrow = _pyarrow()
    try:
        return action()
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as problem:
        reason = str(problem).strip().split("\n")[0]
        raise DataError(f"{path} cannot be read as {path.suffix} ({reason}); get it again") from problem


def _parquet(path: Path) -> Any:
    from pyarrow import parquet

    # pages are read as they are needed: a single group of rows may hold a whole data set
    with in_utf8(path) as named:
        return parquet.ParquetFile(named, pre_buffer=False, buffer_size=2**20)


def _batches(path: Path, group: int, columns: list[str]) -> Iterator[Any]:
    if path.suffix.lower() == ".parquet":
        yield from _parquet(path).iter_batches(_BATCH, row_groups=[group], columns=columns, use_threads=False)
        return
    reader = _arrow(path)
    numbered = hasattr(reader, "num_record_batches")
    for batch in map(reader.get_batch, range(reader.num_record_batches)) if numbered else reader:
        yield batch.select(columns)


def _arrow(path: Path) -> Any:
    """A reader of either format of Arrow: the file with a table of contents, or the stream."""
    arrow = _pyarrow()
    with path.open("rb") as file:
        is_file = file.read(len(_ARROW_FILE)) == _ARROW_FILE
    with in_utf8(path) as named:
        mapped = arrow.memory_map(str(named))
    return arrow.ipc.open_file(mapped) if is_file else arrow.ipc.open_stream(mapped)


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
        import pyarrow.ipc
    except ImportError as problem:
        raise ConfigError('reading .parquet and .arrow needs pyarrow: pip install "steadygan[hub]"') from problem
    return pa
