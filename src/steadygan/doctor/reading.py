"""Another program's log, whatever its form, as columns of numbers: a table, lines of JSON, JSON, or printed lines."""

from __future__ import annotations

import csv
import json
import math
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

from steadygan.doctor.quantities import Quantity, recognise
from steadygan.errors import DataError

NAMED = 200  # columns at most that a message may name, and lines at most that the form is told by
LONGEST = 1_000_000  # characters of a line
LARGEST = 1 << 29  # bytes of JSON that is read as a whole
TOTAL = "updates an epoch"  # what stands behind the slash in [50/1583]


@dataclass(frozen=True)
class Column:
    """The numbers under one name, each with its line among those that were read, counted from 0."""

    name: str
    quantity: Quantity
    lines: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def add(self, line: int, value: float) -> None:
        self.lines.append(line)
        self.values.append(value)


class Sheet:
    """What a log holds of what is known or `asked` for, by field; `names` are some of all that were there."""

    def __init__(self, asked: Mapping[str, str]) -> None:
        self.asked = {_plain(name): place for place, name in asked.items()}
        self.columns: dict[str, Column | None] = {}
        self.names: dict[str, None] = {}
        self.shortened: dict[str, str] = {}
        self.lines = 0
        self.damaged = 0

    def column(self, name: str) -> Column | None:
        """The column of a name, a new one where it is worth having; None if it is not."""
        if name not in self.columns:
            column = self._made(name)
            if len(self.names) < NAMED:
                self.names[name] = None
            if column is None and len(self.columns) > 100 * NAMED:  # names that never end, as of files
                return None
            self.columns[name] = column
        return self.columns[name]

    def add(self, name: str, value: float) -> None:
        """A number of the line that is being read."""
        column = self.column(name)
        if column is not None:
            column.add(self.lines, value)

    def short(self, name: str) -> str:
        """A printed name without words before it that belong to something else, as in "3.2 s d_loss 0.4"."""
        if name not in self.shortened:
            words = name.split()
            parts = (" ".join(words[start:]) for start in range(len(words)))
            short = next((part for part in parts if _plain(part) in self.asked or recognise(part)), name)
            if len(self.shortened) > 100 * NAMED:
                return short
            self.shortened[name] = short
        return self.shortened[name]

    def kept(self) -> list[Column]:
        """The columns that have numbers."""
        return [column for column in self.columns.values() if column is not None and column.values]

    def _made(self, name: str) -> Column | None:
        place = self.asked.get(_plain(name))
        if place:
            return Column(name, Quantity(place, far=-1))
        quantity = Quantity(TOTAL) if name == TOTAL else recognise(name)
        return Column(name, quantity) if quantity else None


def _plain(name: str) -> str:
    """A name without what may be written in two ways: case, spaces around it, and the sign between groups."""
    return name.strip().lower().replace("/", ".")


def read_sheet(path: Path, asked: Mapping[str, str]) -> Sheet:
    """Read a log; `asked` names columns by field. DataError if there is no text, or nothing in it."""
    sheet = Sheet(asked)
    with path.open("rb") as raw:
        start = raw.read(1 << 16)
    if not start.strip():
        raise DataError(f"{path} is empty; give the log of a training that has written something")
    if re.match(rb"\s*<(!doctype|html|\?xml)", start, re.IGNORECASE):
        raise DataError(f"{path} is a page for a browser and no log; give what the program wrote or printed")
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if encoding == "utf-8-sig" and b"\0" in start:
        raise DataError(
            f"{path} is no text; give a log as CSV, JSON or printed lines, and of TensorBoard what it exports as CSV"
        )
    with path.open(encoding=encoding, errors="replace") as file:
        if len(file.readline(LONGEST)) == LONGEST and start.lstrip()[:1] not in (b"{", b"["):
            raise DataError(f"{path} has a line of more than {LONGEST:,} characters and is no log")
        file.seek(0)
        _form(path, file)(file, sheet)
    return sheet


def _form(path: Path, file: TextIO) -> Callable[[TextIO, Sheet], None]:
    """How the log is to be read, told by its first lines."""
    first = [line for line in islice(file, NAMED) if line.strip() and not line.startswith("#")][:3]
    head = "".join(first).lstrip()
    lines_of_json = sum(_object(line) is not None for line in first)
    file.seek(0)
    if re.match(r"\{\s*[\"}]|\[\s*[\[{\]]", head):
        if lines_of_json and (len(first) > 1 or not _holds_lists(_object(first[0]) or {})):
            return _read_json_lines
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is one piece of JSON, too large to read; write it as JSON lines")
        return _read_json
    delimiter = _delimiter(_lines(file))
    file.seek(0)
    if delimiter is None:
        return _read_printed
    return lambda file, sheet: _read_rows(_lines(file), delimiter, sheet)


# -- tables ------------------------------------------------------------------------------------------------------------


def _lines(file: TextIO) -> Iterator[str]:
    """Lines that say something; a comment before all others may hold the header."""
    begun = False
    for line in file:
        if line.strip() and not (begun and line.startswith("#")):
            yield line if begun else line.lstrip("# ")
            begun = True


def _delimiter(lines: Iterator[str]) -> str | None:
    """What parts the columns of a table with a header, "" for spaces; None if this is no table."""
    first, *others = [*islice(lines, 5)] or [""]
    for delimiter in ("\t", ";", "|", ",", ""):
        names = _cells(first, delimiter)
        full = [_is_row(_cells(line, delimiter), len(names)) for line in others]
        if full and not full[-1]:  # the last line may be cut off
            full.pop()
        words = not any(number(name) is not None for name in names)
        if len(names) > 1 and words and all(full) and (full or all(map(recognise, names))):
            return delimiter
    alone = [number(line) is not None for line in others]
    return "," if recognise(first.strip().strip('"')) and any(alone) and all(alone) else None


def _is_row(cells: Sequence[str], length: int) -> bool:
    return len(cells) == length and any(number(cell) is not None for cell in cells)


def _cells(line: str, delimiter: str) -> list[str]:
    if not delimiter:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line.rstrip("\n")], delimiter=delimiter), [])]


def _read_rows(lines: Iterator[str], delimiter: str, sheet: Sheet) -> None:
    rows: Iterable[list[str]] = (
        csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if delimiter else (line.split() for line in lines)
    )
    rows = _whole(rows, sheet)
    header = [name.strip() for name in next(iter(rows))]
    wanted = [(place, column) for place, name in enumerate(header) if (column := sheet.column(name)) is not None]
    for row in rows:
        if len(row) < len(header) or any(row[len(header) :]):  # empty cells at the end alone do no harm
            sheet.damaged += 1
            continue
        for place, column in wanted:
            if (value := number(row[place])) is not None:
                column.add(sheet.lines, value)
        sheet.lines += 1


def _whole(rows: Iterable[list[str]], sheet: Sheet) -> Iterator[list[str]]:
    """Rows as far as they can be parted; what a broken quotation holds is damage."""
    try:
        yield from rows
    except csv.Error:
        sheet.damaged += 1


# -- JSON --------------------------------------------------------------------------------------------------------------


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _holds_lists(found: Mapping[str, Any]) -> bool:
    return any(isinstance(value, list) for value in found.values())


def _read_json_lines(file: TextIO, sheet: Sheet) -> None:
    for line in file:
        if not line.strip():
            continue
        found = _object(line)
        if found is None:
            sheet.damaged += 1
        else:
            _take(found, sheet)


def _take(found: Mapping[str, Any], sheet: Sheet) -> None:
    """The numbers of one object as a line of the table."""
    for name, value in _flat(found, ""):
        sheet.add(name, value)
    sheet.lines += 1


_SNAPSHOT = re.compile(r"network-snapshot-(\d+)")


def _flat(found: Mapping[str, Any], before: str) -> Iterator[tuple[str, float]]:
    """All numbers, those within groups with dots between their names; of a StyleGAN's snapshot its thousand images."""
    for name, value in found.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{before}{name}", float(value)
        elif isinstance(value, str):
            snapshot = _SNAPSHOT.search(value)
            meant = (snapshot and float(snapshot[1])) if name == "snapshot_pkl" else number(value)
            if meant is not None:
                yield "kimg" if name == "snapshot_pkl" else f"{before}{name}", meant


def _read_json(file: TextIO, sheet: Sheet) -> None:
    """A list of objects, an object of lists, or an object that holds one of either."""
    try:
        found = json.load(file)
    except ValueError as problem:
        raise DataError(f"{file.name} is cut off or no JSON ({problem}); write a log as JSON lines") from problem
    for part in chain([found], found.values() if isinstance(found, dict) else ()):
        if isinstance(part, list) and all(isinstance(one, dict) for one in part):
            for one in part:
                _take(one, sheet)
            return
        if isinstance(part, dict) and _holds_lists(part) and not _holds_objects(part):
            _take_lists(part, sheet)
            return
    if isinstance(found, dict):
        _take(found, sheet)


def _holds_objects(part: Mapping[str, Any]) -> bool:
    return any(isinstance(value, list) and value and isinstance(value[0], dict) for value in part.values())


def _take_lists(part: Mapping[str, Any], sheet: Sheet) -> None:
    for name, values in part.items():
        if not isinstance(values, list):
            continue
        sheet.lines = max(sheet.lines, len(values))
        if column := sheet.column(name):
            for line, one in enumerate(values):
                if (value := number(str(one))) is not None:
                    column.add(line, value)


# -- printed lines -----------------------------------------------------------------------------------------------------

_NUMBER = r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|nan|inf(?:inity)?)"
_WORD = r"[a-z][^\s:=,;|\[\]'\"]{0,40}"
_PAIR = re.compile(
    rf"(?<![\w.])({_WORD}(?: {_WORD}){{0,2}})(?:['\"]?\s*[:=]\s*|\s*\[\s*|\s+)(?:tensor\()?({_NUMBER})"
    rf"(?:\s*/\s*({_NUMBER}))?(%?)(?!\w|\.\d)",
    re.IGNORECASE,
)
_HEAD = re.compile(r"\W*(?:epochs?\W+)?(\d+)\s*/\s*(\d+)\W+(\d+)\s*/\s*(\d+)\s*[\])]", re.IGNORECASE)  # [0/5][50/1583]
_FIRST = re.compile(r"\s*\[?(\d+)\]?[\s:,|]+\[?\s*[a-z]", re.IGNORECASE)  # 300 [D loss: 0.4] [G loss: 1.2]
_OF = re.compile(r"(?:^|[|\s])(\d+)/(\d+) \[")  # 450/1000 [00:12<00:15, d_loss=0.4], and Keras's bars
_BETWEEN = re.compile(r"([a-z][\w ]*) \(([^()]*[:=][^()]*)\)\s*:", re.IGNORECASE)  # FID score (Step: 2000): 45.9


def _read_printed(file: TextIO, sheet: Sheet) -> None:
    """Lines for people, in which numbers follow their names."""
    for line in file:
        found = list(_printed(line[:LONGEST], sheet))
        for name, value in found:
            sheet.add(name, value)
        sheet.lines += bool(found)


def _printed(line: str, sheet: Sheet) -> Iterator[tuple[str, float]]:
    """Names and numbers of a line, those of places that have no name under the usual ones."""
    if head := _HEAD.match(line):
        yield from zip(("epoch", "batch", TOTAL), map(float, head.group(1, 3, 4)), strict=True)
    elif first := _FIRST.match(line):
        yield "step", float(first[1])
    elif of := _OF.search(line):
        yield from (("batch", float(of[1])), (TOTAL, float(of[2])))
    for name, value, of, percent in _PAIR.findall(_BETWEEN.sub(r"\2, \1:", line) if " (" in line else line):
        short = sheet.short(name)
        yield short, float(value) / (100 if percent else 1)
        if of and (known := recognise(short)) and known.field in ("step", "batch"):
            yield TOTAL, float(of)


# -- numbers -----------------------------------------------------------------------------------------------------------

_WRITTEN = re.compile(rf"(?:tensor\()?({_NUMBER})(%?)(?:[,)].*)?", re.IGNORECASE)


def number(text: str) -> float | None:
    """The number that a text is, as programs write them: 0.4, 0,4, 50%, 1e-3, nan, -nan(ind), tensor(0.4); or None."""
    try:
        return float(text)
    except ValueError:
        pass
    text = text.strip()
    if re.fullmatch(r"[-+]?\d+,\d+(e[-+]?\d+)?", text):
        return float(text.replace(",", "."))
    if re.match(r"[-+]?(nan\(|1\.#)", text):
        return math.nan
    found = _WRITTEN.fullmatch(text)
    return float(found[1]) / (100 if found[2] else 1) if found else None
