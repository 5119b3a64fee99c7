"""Single images that are not like the rest of their set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steadygan.data.health.findings import Mask, Remark, Seen, graded, plural
from steadygan.data.health.measures import GREY_LEVELS

Floats = NDArray[np.floating]

FEWEST = 20
"""Sets with fewer images have no usual look to deviate from."""

MOST = 0.05
"""If more of the images than this deviate, it is the set that varies, and none is an outlier."""

BLANK = 2.0
"""Contrast in levels (standard deviation) below which an image counts as of a single colour."""

_NORMAL = 1.4826  # a normal distribution has a standard deviation of so many median absolute deviations
_LEAST_DEVIATION = {"brightness": 4.0, "colour": 4.0, "sharpness": 0.15, "size": 0.25, "shape": 0.1}
_LIMIT = {"brightness": 5.0, "colour": 10.0, "sharpness": 4.0, "edges": 3.5, "size": 6.0, "shape": 6.0}
_FEW_GREY = 0.1


def robust_z(values: Floats, least: float, among: Mask | None = None) -> Floats:
    """How many standard deviations each value lies from the middle, by median and median absolute deviation (MAD).

    Outliers move neither, as they would mean and standard deviation (Hampel 1974; Leys et al. 2013, "Detecting
    outliers"). 1.4826 MAD is the standard deviation if the values are normal; `least` is used if it is less, or where
    most values are equal, every other would be infinitely far away. `among` marks the values the middle is taken of.
    """
    chosen = values if among is None else values[among]
    if not len(chosen):
        return np.zeros_like(values)
    middle = np.median(chosen)
    deviation = max(_NORMAL * float(np.median(np.abs(chosen - middle))), least)
    return (values - middle) / deviation


def blank(seen: Seen) -> Remark | None:
    """Images of a single colour, or nearly."""
    where, contrast = np.flatnonzero(seen.blank), seen.measures.contrast
    sentence = f"{plural(len(where), 'image is', 'images are')} blank or of nearly a single colour"
    remedy = "remove them: there is nothing to learn from them, and the generator will draw such images, too"
    grave = graded(len(where), len(seen), warning=0, serious=0.05)
    return seen.remark(
        "blank", sentence, remedy, where, severity=grave, caption=lambda at: f"contrast {contrast[at]:.1f}"
    )


def brightness(seen: Seen) -> Remark | None:
    """Images much darker or lighter than the rest."""
    values = seen.measures.brightness
    usual = np.median(values[~seen.blank]) if not seen.blank.all() else 0
    where = _apart(seen, "brightness", values, ~seen.blank)
    number = plural(len(where), "image is", "images are")
    sentence = f"{number} far darker or lighter than the others, whose median brightness is {usual:.0f} of 255"
    remedy = "look at them: over-exposed and black pictures are better removed"
    return seen.remark("brightness", sentence, remedy, where, caption=lambda index: f"brightness {values[index]:.0f}")


def colour(seen: Seen) -> Remark | None:
    """Images of a colour that the set does not have; grey ones are another matter."""
    considered = ~seen.blank & ~_grey(seen)
    if not seen.coloured or considered.sum() <= len(seen) / 2:
        return None
    red, green, blue = seen.measures.colour.T
    least = _LEAST_DEVIATION["colour"]
    apart = robust_z(red - green, least, considered), robust_z((red + green) / 2 - blue, least, considered)
    z = np.hypot(*apart)
    where = _few(seen, considered & (z > _LIMIT["colour"]), z)
    sentence = f"{plural(len(where), 'image has', 'images have')} a colour unlike the rest of the set"
    remedy = "look whether they belong here: false colours, tinted scans and strangers are better removed"
    return seen.remark("colour", sentence, remedy, where, caption=lambda index: f"{z[index]:.0f} deviations away")


def blurred(seen: Seen) -> Remark | None:
    """Images without the fine structure that the others have, neither for their contrast nor at all.

    At 64 and 32 pixels, a Gaussian blur of 1.5 pixels was found in 96 to 100 % of aerial photographs, faces and
    photographs of things, one of 1 pixel in a third; in these sets as they are, 1 of 5,340, 3 of 750 and 1 of
    10,000 images were found, of which only the first is sharp. Images with fewer pixels than they are given are left
    to `enlarged`.
    """
    enlarged = np.array([entry.enlarged for entry in seen.entries], bool)
    considered = ~seen.blank & ~enlarged
    sharpness = np.log(np.maximum(seen.measures.sharpness, 1e-3))
    edges = np.log(np.maximum(seen.measures.sharpness * seen.measures.contrast, 1e-2))
    least = _LEAST_DEVIATION["sharpness"]
    z, z_edges = robust_z(sharpness, least, considered), robust_z(edges, least, considered)
    where = _few(seen, considered & (z < -_LIMIT["sharpness"]) & (z_edges < -_LIMIT["edges"]), z)
    share = np.exp(sharpness - (np.median(sharpness[considered]) if considered.any() else 0))
    sentence = f"{plural(len(where), 'image is', 'images are')} far less sharp than the others"
    remedy = "remove them if they are out of focus: the generator learns blur as readily as detail"
    return seen.remark("blurred", sentence, remedy, where, caption=lambda at: f"{share[at]:.0%} of the usual sharpness")


def grey(seen: Seen) -> Remark | None:
    """Grey pictures among coloured ones, coloured ones among grey, or a mixture."""
    considered = ~seen.blank
    is_grey = _grey(seen) & considered
    number, total = int(is_grey.sum()), int(considered.sum())
    if not seen.coloured or number in (0, total):
        return None
    few_coloured = total - number <= total * _FEW_GREY
    where = np.flatnonzero(considered & ~is_grey if few_coloured else is_grey)
    which, others = ("coloured", "grey") if few_coloured else ("grey", "coloured")
    mixed = _FEW_GREY < number / total < 1 - _FEW_GREY
    sentence = f"{plural(len(where), 'image is', 'images are')} {which}, the other {total - len(where):,} {others}"
    remedy = "remove them if grey pictures are not wanted: the generator will draw some"
    if few_coloured or mixed:
        remedy = "--channels grey makes them all alike"
    return seen.remark(which, sentence, remedy, where, severity="warning" if mixed else graded(len(where), total))


def size(seen: Seen) -> Remark | None:
    """Files with far fewer or more pixels than the rest."""
    sides = np.sqrt(np.array([entry.size[0] * entry.size[1] for entry in seen.entries], np.float64))
    where = _apart(seen, "size", np.log(np.maximum(sides, 1)))
    number, usual = plural(len(where), "file has", "files have"), np.median(sides)
    sentence = f"{number} a size unlike the rest: most have about {usual:.0f} pixels a side"
    remedy = "look whether they belong here; thumbnails and whole scans often come along by accident"
    return seen.remark("size", sentence, remedy, where, severity="info", caption=seen.size_of)


def shape(seen: Seen) -> Remark | None:
    """Files with proportions unlike the rest."""
    aspects = np.array([entry.size[0] / max(1, entry.size[1]) for entry in seen.entries])
    where = _apart(seen, "shape", np.log(np.maximum(aspects, 1e-3)))
    number, usual = plural(len(where), "file is", "files are"), np.median(aspects)
    sentence = f"{number} much longer or taller than the rest, whose width is {usual:.2g} times the height"
    remedy = "see what is left of them in a square; --fit pad keeps all of it, --fit random-crops uses more of it"
    return seen.remark("shape", sentence, remedy, where, severity="info", caption=seen.size_of)


def _grey(seen: Seen) -> Mask:
    mask: Mask = seen.measures.saturation < GREY_LEVELS
    return mask


def _apart(seen: Seen, check: str, values: Floats, among: Mask | None = None) -> NDArray[np.int64]:
    """The images far from the middle of those in `among`, and in it themselves, the farthest first."""
    z = robust_z(values, _LEAST_DEVIATION[check], among)
    far = np.abs(z) > _LIMIT[check]
    return _few(seen, far if among is None else far & among, z)


def _few(seen: Seen, mask: Mask, z: Floats) -> NDArray[np.int64]:
    """The marked images, the farthest first; none if they are too many for outliers."""
    where = np.flatnonzero(mask)
    if len(seen) < FEWEST or len(where) > max(1, len(seen) * MOST):
        return where[:0]
    return where[np.argsort(-np.abs(z[where]), kind="stable")]
