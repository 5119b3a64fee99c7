"""Class folders: what the names of a source's files say about their labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

SPLITS = frozenset({"dev", "eval", "test", "testing", "train", "training", "val", "valid", "validation"})


def class_labels(names: Sequence[str]) -> tuple[str, ...] | None:
    """The label of each file, or None where the folders are no classes.

    Folders are classes if every file lies in one and there are at least two of them. A single folder
    around everything does not count. In `train/CLASS/…`, `test/CLASS/…`, and wherever all top folders
    hold the same two or more folders, the second level is the label.
    """
    folders = _without_wrapper([PurePosixPath(name).parts[:-1] for name in names])
    if not all(folders):
        return None
    top = {parts[0] for parts in folders}
    if {name.lower() for name in top} <= SPLITS:
        return _level(folders, 1)
    return _level(folders, 1 if _repeated(folders) else 0)


def _without_wrapper(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    while all(folders) and len({parts[0] for parts in folders}) == 1:
        folders = [parts[1:] for parts in folders]
    return folders


def _repeated(folders: list[tuple[str, ...]]) -> bool:
    """Whether every top folder holds the same two or more folders, and no file beside them."""
    below: dict[str, set[str]] = {}
    for parts in folders:
        below.setdefault(parts[0], set()).add(parts[1] if len(parts) > 1 else "")
    first, *others = below.values()
    return len(first) > 1 and "" not in first and all(names == first for names in others)


def _level(folders: list[tuple[str, ...]], level: int) -> tuple[str, ...] | None:
    if any(len(parts) <= level for parts in folders):
        return None
    labels = tuple(parts[level] for parts in folders)
    return labels if len(set(labels)) > 1 else None


def class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """The different labels in order: by value if all are whole numbers, else by name."""
    names = set(labels)
    by_value = all(name.isdecimal() for name in names)
    return tuple(sorted(names, key=lambda name: (int(name) if by_value else 0, name)))
