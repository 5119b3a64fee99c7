"""Bands of a TIFF that are no colours: alpha channels, and near infrared or others that pass for one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TAG_SAMPLES, _TAG_EXTRA, _TAG_GDAL = 277, 338, 42112
_GEO_TAGS = (33550, 33922, 34264, 34735)
_ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}
_ROLE = 'name="COLORINTERP" sample="{}" role="colorinterp">([^<]*)<'


def false_alpha(tags: Mapping[int, Any], band: int, alpha: NDArray[Any]) -> bool:
    """Whether `band`, from 0, of which the values are those of `alpha`, only passes for an alpha channel.

    GDAL's metadata settle it if they name the band. Where they do not, a band of a georeferenced TIFF, or one
    that the file does not declare to be alpha, counts as alpha if at least half of it is 0 or opaque: an image of
    near infrared is rarely like that, a mask nearly always.
    """
    role = re.search(_ROLE.format(band), str(tags.get(_TAG_GDAL, "")))
    if role:
        return role[1].strip().lower() != "alpha"
    declared = bool({1, 2} & set(tags.get(_TAG_EXTRA, ())))
    if declared and not any(tag in tags for tag in _GEO_TAGS):
        return False
    opaque = 255 if alpha.dtype == np.uint8 else alpha.max(initial=0)
    return bool(np.count_nonzero((alpha == 0) | (alpha == opaque)) < alpha.size / 2)


def left_out(tags: Mapping[int, Any], used: int) -> str | None:
    """Which bands of a TIFF are not among the first `used`, in words."""
    total = tags.get(_TAG_SAMPLES, 1)
    if not isinstance(total, int) or total <= used:
        return None
    if total == used + 1 and total in _ORDINALS:
        return f"{_ORDINALS[total]} band left out"
    return f"bands {used + 1} to {total} left out"
