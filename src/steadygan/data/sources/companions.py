"""Pictures that belong to other pictures: masks, drawn labels, thumbnails."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_MASKS = """
    annotation annotations groundtruth gt gtcoarse gtfine label labels mask masks seg segmentation segmentationclass
    segmentationobject segmentations trimap trimaps
"""
_KINDS = {
    **dict.fromkeys(_MASKS.split(), "mask"),
    **dict.fromkeys(("thumb", "thumbnail", "thumbs", "thumbnails"), "thumbnail"),
}
_TAIL = re.compile(rf"[ _.-]+(gt(?:fine|coarse)_\w+|(?:{'|'.join(_KINDS)})[\W_]*\d*)$", re.IGNORECASE)
_HEAD = re.compile(r"[ _.-]+(image|img|leftimg8bit|photo|sat)$", re.IGNORECASE)
_MOST = 1 / 2


def companions(names: Sequence[str]) -> dict[int, str]:
    """Of files called so, those that only show another in another form: the kind by index, "mask" or "thumbnail".

    A folder `masks`, `train_labels`, `thumbs`, … is one of companions if at least half of its pictures have the name
    of a picture outside of it. A single file is one if it is called as another beside it, with `_mask` or the like
    behind the name.
    """
    folders, suspects = dict[str, list[int]](), dict[int, str]()
    stems, beside = set[str](), set[tuple[str, str]]()
    split = [name.rpartition("/")[::2] for name in names]
    for index, (folder, file) in enumerate(split):
        stem = file.rpartition(".")[0] or file
        if kind := _of_folder(folder):
            folders.setdefault(folder, []).append(index)
            suspects[index] = kind
        elif tail := _TAIL.search(stem):
            suspects[index] = next((kind for word, kind in _KINDS.items() if word in tail[1].lower()), "mask")
        else:
            stems.add(_common(file))
            beside.add((folder, _common(file)))
    found = {
        index: kind
        for index, kind in suspects.items()
        if not _of_folder(split[index][0]) and (split[index][0], _common(split[index][1])) in beside
    }
    for indices in folders.values():
        if sum(_common(split[index][1]) in stems for index in indices) >= len(indices) * _MOST:
            found |= {index: suspects[index] for index in indices}
    return found


@lru_cache(maxsize=1024)
def _of_folder(folder: str) -> str | None:
    """The kind that one of these folders is called by: its last word, or of masks also the first."""
    for part in folder.split("/"):
        words = [word for word in re.split(r"[\W\d_]+", part.lower()) if word]
        for word in words[-1:] + words[:1]:
            if word in _KINDS and (word == words[-1] or _KINDS[word] == "mask"):
                return _KINDS[word]
    return None


def _common(file: str) -> str:
    """What the names of a picture and its companion have in common."""
    return _HEAD.sub("", _TAIL.sub("", file.rpartition(".")[0] or file)).casefold()
