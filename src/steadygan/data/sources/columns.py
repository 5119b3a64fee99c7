"""Images in the columns of Parquet and Arrow files, as Hugging Face stores its data sets."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, repeat
from pathlib import Path, PurePath
from typing import IO, Any, Literal

from steadygan.data.sources import shards
from steadygan.data.sources.folder import beside
from steadygan.data.sources.items import Found, Item, PathSource, Rejection, Version, files_below, open_file, version_of
from steadygan.data.sources.rows import LABEL_NAMES, label_text
from steadygan.errors import ConfigError, DataError

_BINARY = ("binary", "large_binary", "fixed_size_binary")
_SHARD = re.compile(r"(-\d{5}-of-\d{5}(-[0-9a-f]+)?|-\d{5}|\.\d+)$")


class Columns(PathSource):
    """Images in a `.parquet` or `.arrow` file, or in all such files of a folder (`datasets.save_to_disk`, shards).

    - `image`: the column of images, which are stored as files (`bytes` and `path`, or bytes alone); None takes the
      only one there is.
    - `label`: the column of labels, numbers with the names in the file or any text; None finds it by its name or by
      what Hugging Face notes in the file, "" uses none.
    - `split`: use only files of this split, as in `train-00000-of-00003.parquet` or `train/0000.parquet`.
    """

    kind: Literal["columns"] = "columns"
    image: str | None = None
    label: str | None = None
    split: str | None = None

    def entries(self) -> Iterator[Found]:
        """One item for each row, named `FILE/000123`, and files that cannot be read. Only labels are read.

        Raises ConfigError if it is not clear which columns to use.
        """
        yield from rows_of(self.path, self._files(), self.image, self.label)
        if self.path.is_dir():  # a page about the set may have pictures
            found = beside(self.path, "columns")
            yield from (entry for entry in found if isinstance(entry, Rejection) and entry.left_out)

    def _files(self) -> list[Path]:
        files = column_files(self.path)
        if self.split is None:
            return files
        splits = {file: splits_of(_below(file, self.path)) for file in files}
        chosen = [file for file in files if self.split in splits[file]]
        if not chosen:
            known = sorted({name for names in splits.values() for name in names})
            raise ConfigError(f"{self.path} has no split {self.split!r}; there are {', '.join(known)}")
        return chosen


def images_in(files: Sequence[Path]) -> int:
    """How many rows with images these files have; those that are damaged have none."""
    number = 0
    for file in files:
        with suppress(DataError):
            if _image_columns(shards.schema(file)):
                number += sum(shards.groups(file))
    return number


def rows_of(root: Path, files: Sequence[Path], image: str | None, label: str | None) -> Iterator[Found]:
    """One item for each row of these files below `root`, or of the one file `root`."""
    readable: list[tuple[Path, Any]] = []
    for file in files:
        try:
            readable.append((file, shards.schema(file)))
        except DataError as problem:
            yield Rejection(_stem(file, root), str(problem))
    if readable and not any(_image_columns(schema) for _, schema in readable):
        raise DataError(_without_images(*readable[0]))
    for file, schema in readable:
        if _image_columns(schema):
            columns = _choose_image(file, schema, image), _choose_label(file, schema, label)
            yield from _rows(file, _stem(file, root), *columns)
        else:
            yield f"{file.suffix} without images"


def _stem(file: Path, root: Path) -> str:
    """The name of a file below the source, without its suffix."""
    return _below(file, root).with_suffix("").as_posix()


def _below(file: Path, root: Path) -> Path:
    return Path(file.name) if file == root else file.relative_to(root)


def _rows(file: Path, stem: str, image: str, label: str | None) -> Iterator[Found]:
    version, names, number = version_of(file), _class_names(shards.schema(file)).get(label or ""), 0
    for group, length in enumerate(shards.groups(file)):
        batches = shards.batches(file, group, [label]) if label else ()
        labels = chain.from_iterable(batch.column(0).to_pylist() for batch in batches)
        try:
            for row, value in enumerate(labels if label else repeat(None, length)):
                reader = partial(_open_row, file, version, group, row, image)
                text = label_text(value) if names is None else _class_name(value, names)
                yield Item(f"{stem}/{number:06d}", 0, version[1], reader, text, in_folders=False)
                number += 1
        except DataError as problem:
            yield Rejection(stem, str(problem))


def column_files(path: Path) -> list[Path]:
    """The Parquet and Arrow files of a folder in order, or the one file; hidden ones and caches are left out."""
    if path.is_file():
        return [path]
    return files_below(path, lambda name: name.lower().endswith(shards.SUFFIXES) and not name.startswith("cache-"))


def splits_of(file: PurePath) -> list[str]:
    """What may be meant by the split of a file: its folders, and its name without the number of the shard."""
    stem = _SHARD.sub("", file.stem)
    return [*file.parts[:-1], *([] if stem.isdecimal() or (stem == "data" and file.parts[:-1]) else [stem])]


def _open_row(path: Path, version: Version, group: int, row: int, column: str) -> IO[bytes]:
    value: Any = shards.value_at(path, version, group, row, column)
    if isinstance(value, bytes):
        return io.BytesIO(value)
    data, named = (value or {}).get("bytes"), (value or {}).get("path")
    if data is not None:
        return io.BytesIO(data)
    if not named:
        raise DataError("the row holds no image")
    file = path.parent / named
    if not file.is_file():
        raise DataError(f"the row holds no bytes but names the file {named}, which is not there")
    return open_file(file)


def _image_columns(schema: Any) -> list[str]:
    """Columns of the first kind there is: said to be images by Hugging Face, with bytes and path, or of bytes."""
    features = _features(schema)
    files = [field.name for field in schema if _has_bytes(field.type) or _is(field.type, *_BINARY)]
    said = [name for name in files if features.get(name, {}).get("_type") == "Image"]
    return said or [name for name in files if _has_bytes(schema.field(name).type)] or files


def _has_bytes(kind: Any) -> bool:
    at = kind.get_field_index("bytes") if _is(kind, "struct") else -1
    return at >= 0 and _is(kind.field(at).type, *_BINARY, "null")


def _is(kind: Any, *names: str) -> bool:
    """Whether a type is one of those that `pyarrow.types` knows by these names."""
    from pyarrow import types

    return any(getattr(types, f"is_{name}")(kind) for name in names)


def _choose_image(file: Path, schema: Any, wanted: str | None) -> str:
    if wanted is not None:
        kind = _known(file, schema, "image", wanted).type
        if not (_has_bytes(kind) or _is(kind, *_BINARY)):
            raise ConfigError(f"{file}: the column {wanted!r} is {kind} and holds no image files")
        return wanted
    found = _image_columns(schema)
    if len(found) > 1:
        raise ConfigError(f"{file} has several columns of images ({', '.join(found)}); say which as ?image=COLUMN")
    return found[0]


def _choose_label(file: Path, schema: Any, wanted: str | None) -> str | None:
    if wanted is not None:
        return _known(file, schema, "label", wanted).name if wanted else None
    usual = [name for name in schema.names if name.lower() in LABEL_NAMES and _may_be_label(schema.field(name).type)]
    found = usual or [name for name in schema.names if name in _class_names(schema)]
    if len(found) > 1:
        raise ConfigError(
            f"{file} has several columns of labels ({', '.join(found)}); say which as ?label=COLUMN, ?label= uses none"
        )
    return found[0] if found else None


def _known(file: Path, schema: Any, setting: str, wanted: str) -> Any:
    """The field of the column that a setting names."""
    if wanted not in schema.names:
        has = ", ".join(schema.names)
        raise ConfigError(f"{file} has no column {wanted!r}, as {setting}={wanted} says; it has {has}")
    return schema.field(wanted)


def _may_be_label(kind: Any) -> bool:
    kind = kind.value_type if _is(kind, "dictionary") else kind
    return _is(kind, "integer", "string", "large_string", "boolean")


def _features(schema: Any) -> dict[str, dict[str, Any]]:
    """What Hugging Face notes about the columns; nothing where the note is missing or not understood."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _class_names(schema: Any) -> dict[str, Sequence[str]]:
    """The names of the classes of each column that holds their numbers."""
    features = _features(schema).items()
    return {name: it["names"] for name, it in features if it.get("_type") == "ClassLabel" and it.get("names")}


def _class_name(value: Any, names: Sequence[str]) -> str | None:
    """The name of a class; None for the -1 of images whose label is kept secret."""
    if not isinstance(value, int):
        return label_text(value)
    return str(names[value]) if 0 <= value < len(names) else None


def _without_images(file: Path, schema: Any) -> str:
    listed = ", ".join(f"{name} ({schema.field(name).type})" for name in schema.names[:12])
    return f"{file} has no column of image files (bytes); it has {listed}. Arrays of numbers are not read: save images"
