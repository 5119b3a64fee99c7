"""Bands of a TIFF that are no colours: alpha channels, and near infrared or others that pass for one."""

from __future__ import annotations

import re
from typing import Any

from PIL import Image

_TAG_SAMPLES, _TAG_EXTRA, _TAG_GDAL = 277, 338, 42112
_GEO_TAGS = (33550, 33922, 34264, 34735)
_ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}
_ROLE = 'name="COLORINTERP" sample="{}" role="colorinterp">([^<]*)<'


def false_alpha(image: Image.Image) -> bool:
    """Whether what Pillow calls the alpha channel of a loaded picture is some other band.

    GDAL's metadata settle it if they name the band. Where they do not, a band of a georeferenced TIFF, or one
    that the file does not declare to be alpha, counts as alpha if at least half of it is 0 or 255: an image of
    near infrared is rarely like that, a mask nearly always.
    """
    tags = getattr(image, "tag_v2", None)
    if tags is None or image.mode not in ("LA", "RGBA"):
        return False
    role = re.search(_ROLE.format(len(image.mode) - 1), str(tags.get(_TAG_GDAL, "")))
    if role:
        return role[1].strip().lower() != "alpha"
    declared = bool({1, 2} & set(tags.get(_TAG_EXTRA, ())))
    if declared and not any(tag in tags for tag in _GEO_TAGS):
        return False
    counts = image.getchannel("A").histogram()
    return counts[0] + counts[255] < image.width * image.height / 2


def left_out(image: Image.Image, opaque: bool) -> str | None:
    """Which bands of a TIFF are not used, in words; `opaque` says that its alpha channel is not."""
    tags: Any = getattr(image, "tag_v2", {})
    total = tags.get(_TAG_SAMPLES, 1)
    used = len(image.getbands()) - opaque
    if not isinstance(total, int) or total <= used:
        return None
    if total == used + 1 and total in _ORDINALS:
        return f"{_ORDINALS[total]} band left out"
    return f"bands {used + 1} to {total} left out"
