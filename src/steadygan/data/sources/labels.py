"""Class folders: what the names of a source's files say about their labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from steadygan.data.sources.items import is_archive

How = Literal["auto", "folders", "none"]
"""Where labels come from: see `PrepareSettings.labels`."""

SPLITS = frozenset({"dev", "eval", "test", "testing", "train", "training", "val", "valid", "validation"})

_SPLIT_WORDS = SPLITS | {"pred", "prediction", "unlabeled", "unlabelled", "unsup"}
_BESIDE_SPLITS = frozenset({"data", "image", "images", "img", "imgs", "seg", "set", "split"})

STRAY = 1 / 5
"""Of the pictures at a place, so many may lie beside the folders there, and the folders are still classes."""

UNLABELLED = 1 / 2
"""If fewer than so many have no label, the others make classes."""


class Classes(NamedTuple):
    """The label of each file, None where the file has none; and why folders are no classes though they look it."""

    labels: tuple[str | None, ...]
    refused: str = ""


def find_classes(names: Sequence[str], how: How = "auto") -> Classes:
    """What the folders of files called so are: labels, where at least two folders are classes.

    - Folders around everything do not count. Few pictures beside the folders have no label; if they are more than a
      fifth, folders are no classes, unless `how` is "folders".
    - In `train/CLASS/…`, `test/CLASS/…`, and wherever all top folders hold the same two or more folders, the second
      level is the label. A flat `test/` beside it has no label, as long as it holds less than half of all.
    - Names that differ in capitals only are one class, unless one folder holds both.
    """
    none = Classes((None,) * len(names))
    folders = [_folders(name) for name in names]
    level, inside = 0, list(range(len(folders)))
    while inside:
        below = [index for index in inside if len(folders[index]) > level]
        tops = {folders[index][level] for index in below}
        if _are_many(len(inside) - len(below), len(inside), STRAY) and how == "auto":
            return _refused(none, len(below), len(inside), len(tops))
        inside = below
        if len(tops) != 1:
            break
        level += 1
    found = _labels(folders, inside, level) if inside else {}
    if len(set(found.values())) < 2:
        return none
    if _are_many(len(inside) - len(found), len(inside), UNLABELLED) and how == "auto":
        return _refused(none, len(found), len(inside), len(set(found.values())))
    return Classes(tuple(found.get(index) for index in range(len(names))))


def _folders(name: str) -> tuple[str, ...]:
    """The folders in a name; an archive that is a part of a set is none."""
    return tuple(part for part in PurePosixPath(name).parts[:-1] if not is_archive(part))


def _are_many(some: int, all_: int, share: float) -> bool:
    return some > all_ * share if share < UNLABELLED else some >= all_ * share


def _refused(none: Classes, below: int, all_: int, folders: int) -> Classes:
    """No classes, and the reason if there is something to wonder about."""
    return none._replace(refused=f"{all_ - below} of {all_} pictures lie in no class folder") if folders > 1 else none


def _labels(folders: Sequence[tuple[str, ...]], inside: Sequence[int], level: int) -> dict[int, str]:
    """The label of each file that has one; nothing lies beside the folders of this level."""
    by_top: dict[str, list[int]] = {}
    for index in inside:
        by_top.setdefault(folders[index][level], []).append(index)
    splits = [top for top in by_top if is_split(top)]
    if splits and not _are_many(len(inside) - sum(len(by_top[top]) for top in splits), len(inside), STRAY):
        parts = [_of_split(folders, by_top[top], level + 1) for top in splits]
    elif _repeated([folders[index][level:] for index in inside]):
        parts = [{index: folders[index][level + 1] for index in indices} for indices in by_top.values()]
    else:
        parts = [{index: folders[index][level] for index in inside}]
    spelled = one_spelling([Counter(part.values()) for part in parts])
    return {index: spelled.get(label, label) for part in parts for index, label in part.items()}


def is_split(folder: str) -> bool:
    """Whether a folder is called like a part of a set: `train`, `Test`, `val_images`, `seg_train`."""
    words = set(re.split(r"[\W\d_]+", folder.lower())) - {""}
    return bool(words & _SPLIT_WORDS) and words <= _SPLIT_WORDS | _BESIDE_SPLITS


def _of_split(folders: Sequence[tuple[str, ...]], inside: Sequence[int], level: int) -> dict[int, str]:
    """The labels in one split, below folders like `train/train` or `train/images` around all of it."""
    while all(len(folders[index]) > level for index in inside):
        tops = {folders[index][level] for index in inside}
        if len(tops) > 1 or not all(is_split(top) or top.lower() in _BESIDE_SPLITS for top in tops):
            break
        level += 1
    return {index: folders[index][level] for index in inside if len(folders[index]) > level}


def _repeated(folders: list[tuple[str, ...]]) -> bool:
    """Whether every top folder holds the same two or more folders, and no file beside them."""
    below: dict[str, set[str]] = {}
    for parts in folders:
        below.setdefault(parts[0], set()).add(parts[1] if len(parts) > 1 else "")
    first, *others = below.values()
    return len(first) > 1 and "" not in first and all(names == first for names in others)


def one_spelling(groups: Sequence[Counter[str]]) -> dict[str, str]:
    """For labels that are spelled otherwise in another group: the commonest spelling.

    Labels that differ in capitals within one group, as folders for `A` and `a` do, are meant to differ.
    """
    spellings: dict[str, Counter[str]] = {}
    distinct = set()
    for group in groups:
        for label, count in group.items():
            spellings.setdefault(label.casefold(), Counter())[label] += count
        folded = Counter(label.casefold() for label in group)
        distinct |= {label for label, count in folded.items() if count > 1}
    return {
        label: min(found, key=lambda one: (-found[one], one))
        for folded, found in spellings.items()
        if folded not in distinct and len(found) > 1
        for label in found
    }


def class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """The different labels in order: by value if all are whole numbers, else by name."""
    names = set(labels)
    by_value = all(name.isdecimal() for name in names)
    return tuple(sorted(names, key=lambda name: (int(name) if by_value else 0, name)))
