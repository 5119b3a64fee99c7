"""Tables of images: CSV, TSV and JSONL, and which of their columns say what."""

from __future__ import annotations

import csv
import io
import json
import math
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from steadygan.data.sources.items import IMAGE_SUFFIXES, Attributes
from steadygan.errors import ConfigError, DataError

_IMAGE = """
    path paths file files file_name filename file_path filepath image images image_name image_path image_file
    img img_name img_path img_file picture photo relative_path id image_id
"""
_LABEL = "label labels class classes class_name label_name category target y"

IMAGE_NAMES = frozenset(_IMAGE.split())
"""Columns called so hold paths of images; capitals do not matter, and spaces and dashes count as underscores."""

LABEL_NAMES = frozenset(_LABEL.split())
"""Columns called so hold labels."""

_DELIMITERS = ",;\t|"
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """What a table says about one file; `clash` is a text if it gives two different labels, and none counts."""

    label: str | None = None
    attributes: Attributes = field(default_factory=dict)
    line: int = 0
    clash: str = ""


@dataclass(frozen=True)
class Rows:
    """The columns of a table and its rows, each with the number of its line; `broken` lines and what is wrong."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, Row], ...]
    broken: tuple[tuple[int, str], ...] = ()

    def image_column(self, wanted: str | None, exists: Callable[[str], bool]) -> str:
        """The column of image files: the one wanted, or the one of a usual name; of several, the one whose files exist.

        Raises ConfigError if that is no single one.
        """
        if wanted is not None:
            return self._named(wanted, "image")
        found = [name for name in self.columns if _plain(name) in IMAGE_NAMES and self._may_name_files(name)]
        if len(found) > 1:
            first = [row for _, row in self.rows[:20]]
            found = [name for name in found if any(exists(str(row[name])) for row in first if row.get(name))] or found
        if len(found) != 1:
            raise ConfigError(f"{self.file}: {self._which(found, 'is the path of the image', 'image')}")
        return found[0]

    def label_column(self, wanted: str | None, image: str) -> str | None:
        """The column of labels: the one wanted (none if that is empty), or the one of a usual name, None without one.

        A column of fractions is not taken for labels unless asked for. Raises ConfigError if there are several.
        """
        if wanted is not None:
            return self._named(wanted, "label") if wanted else None
        usual = [name for name in self.columns if _plain(name) in LABEL_NAMES and name != image]
        found = [name for name in usual if not any(_is_fraction(row.get(name)) for _, row in self.rows)]
        if len(found) > 1:
            raise ConfigError(f"{self.file}: {self._which(found, 'is the label', 'label')}; ?label= uses none")
        return found[0] if found else None

    def without(self, image: str) -> list[tuple[int, str]]:
        """The lines that name no file."""
        return [(line, "names no file") for line, row in self.rows if label_text(row.get(image)) is None]

    def facts(self, image: str, label: str | None, spelled: Callable[[str], str]) -> dict[str, Told]:
        """What is said about each file, by its path as `spelled`; of rows about the same file the first counts."""
        found: dict[str, Told] = {}
        labels = _whole({line: label_text(row.get(label)) for line, row in self.rows} if label else {})
        for line, row in self.rows:
            text = label_text(row.get(image))
            if text is None:
                continue
            file, others = spelled(text), {name: row.get(name) for name in self.columns if name not in (image, label)}
            known, here = found.get(file), labels.get(line)
            if known is None or (known.label is None and not known.clash):
                about = {name: value for name, it in others.items() if (value := _scalar(it)) is not None}
                found[file] = Told(here, about, line)
            elif not known.clash and here not in (None, known.label):
                clash = f"{known.label!r} in line {known.line} and {here!r} in line {line}"
                found[file] = replace(known, label=None, clash=clash)
        return found

    def _named(self, wanted: str, setting: str) -> str:
        alike = [name for name in self.columns if _plain(name) == _plain(wanted)]
        same = [wanted] * self.columns.count(wanted) or alike
        if len(same) != 1:
            raise ConfigError(f"{self.file} has no column {wanted!r}, as {setting}={wanted} says; {self._listed()}")
        return same[0]

    def _may_name_files(self, name: str) -> bool:
        """Whether a column holds paths; one of identifiers does only if they end like the name of an image."""
        ends = {posixpath.splitext(str(row.get(name) or ""))[1].lower() for _, row in self.rows[:20]}
        return _plain(name) not in ("id", "image_id") or not ends.isdisjoint(IMAGE_SUFFIXES)

    def _which(self, found: Sequence[str], what: str, setting: str) -> str:
        many = f"more than one column {what} ({', '.join(found)})" if found else f"no column {what}"
        return f"{many}; {self._listed()}; say which as {self.file}?{setting}=COLUMN"

    def _listed(self) -> str:
        return f"it has the columns {', '.join(self.columns)}"


def read_rows(data: bytes, file: str, headless: Callable[[str], bool] = lambda _: False) -> Rows:
    """The rows of a table in UTF-8, called `file`: JSONL by its suffix, else CSV with `,`, `;`, tab or `|`.

    `headless` says whether the first value of the first line is a file, so that the line is no header; the
    columns are then called image and label. Raises DataError for text of another encoding and broken lines.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        raise DataError(
            f"{file} is not UTF-8 (line {line}, byte {data[problem.start]:#04x}); save it as UTF-8"
        ) from problem
    rows = _json_lines(text, file) if file.lower().endswith(".jsonl") else _separated(text, file, headless)
    if not rows.rows:
        raise DataError(f"{file} has no rows; it should list one image in each line")
    return rows


def label_text(value: object) -> str | None:
    """A value as a label: whole numbers without a point; None for an empty one."""
    if isinstance(value, float):
        return None if math.isnan(value) else f"{value:.0f}" if value.is_integer() else str(value)
    text = str(int(value)) if isinstance(value, bool) else "" if value is None else str(value).strip()
    return _writable(text) or None


def _writable(text: str) -> str:
    """Text without half of a character, as a cut-off JSON may hold: a question mark; names that are no UTF-8 stay."""
    return _HALF.sub("?", text)


def normal(file: str) -> str:
    """A path as written in a table, with `/` and without `.`; a web address stays as it is."""
    return file if "://" in file else posixpath.normpath(file.replace("\\", "/"))


def _json_lines(text: str, file: str) -> Rows:
    rows: list[tuple[int, Row]] = []
    broken: list[tuple[int, str]] = []
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except ValueError:
            row = None
        if isinstance(row, dict):
            rows.append((line, row))
        else:
            broken.append((line, 'is no JSON object; each line should be one, like {"file": …}'))
    if broken and not rows:
        raise DataError(f"{file} line {broken[0][0]} {broken[0][1]}")
    columns = tuple(dict.fromkeys(name for _, row in rows for name in row))
    return Rows(file, columns, tuple(rows), tuple(broken))


def _separated(text: str, file: str, headless: Callable[[str], bool]) -> Rows:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, file))
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as problem:
        raise DataError(f"{file} line {reader.line_num} is no CSV ({problem}); is it a text file?") from problem
    if not lines:
        return Rows(file, (), ())
    first = [cell.strip() for cell in lines[0][1]]
    if len(first) <= 2 and headless(first[0]):
        return _named_rows(file, ("image", "label")[: len(first)], lines)
    return _named_rows(file, tuple(first), lines[1:])


def _named_rows(file: str, columns: tuple[str, ...], lines: Sequence[tuple[int, list[str]]]) -> Rows:
    rows = tuple((line, dict(zip(columns, (cell.strip() for cell in cells), strict=False))) for line, cells in lines)
    return Rows(file, columns, rows)


def _delimiter(text: str, file: str) -> str:
    """The one that splits the first line into most columns."""
    if file.lower().endswith(".tsv"):
        return "\t"
    line = next((line for line in text.splitlines() if line.strip()), "")
    return max(_DELIMITERS, key=lambda mark: len(next(csv.reader([line], delimiter=mark), [])))


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def _is_fraction(value: object) -> bool:
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value) else value
    return isinstance(value, float) and not value.is_integer() and not math.isnan(value)


def _whole(labels: Mapping[int, str | None]) -> Mapping[int, str | None]:
    """Labels like 3.0 as 3, if all are so: a spreadsheet with a gap in the column writes them."""
    given = [label for label in labels.values() if label is not None]
    if not all(re.fullmatch(r"-?[0-9]+\.0+", label) for label in given):
        return labels
    return {line: label.partition(".")[0] if label else None for line, label in labels.items()}


def _scalar(value: object) -> int | float | str | None:
    """A value as an attribute: a number where it is written as one; None for what is empty or no scalar."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        text = _writable(value.strip())
        if _WHOLE.fullmatch(text):
            return int(text)
        value = float(text) if _NUMBER.fullmatch(text) and not re.match(r"[+-]?0[0-9]", text) else text
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) or (isinstance(value, str) and value) else None
