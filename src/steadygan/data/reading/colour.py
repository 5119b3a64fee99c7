"""Any mode of Pillow as 8-bit grey or RGB in the colours of sRGB."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image, ImageCms

from steadygan.data.reading.wide import GREY as WIDE_GREY

Mode = Literal["L", "RGB"]
Colour = tuple[int, int, int]
Transform = ImageCms.ImageCmsTransform | tuple[int, ...]
"""From a colour profile to sRGB; for grey, the new level of each of the 256."""

GREY = WIDE_GREY | {"1", "L", "LA", "La"}
"""Modes that hold no colour."""

_STRIP_PIXELS = 2**22
_MAX_PROFILE = 2**22
_SAME = 3
_OWN_PROFILES = frozenset({"L", "CMYK", "LAB"})


class Conversion(NamedTuple):
    """How one decoded picture becomes `target`: found once, used on strip after strip to save memory.

    `transform` is None without a colour profile, `opaque` says that the fourth
    band is no alpha channel. What shines through shows `background`.
    """

    target: Mode
    background: Colour
    grey: bool
    opaque: bool = False
    transform: Transform | None = None

    def apply(self, image: Image.Image) -> tuple[Image.Image, bool]:
        """The converted picture, and whether anything shone through it."""
        rows = max(1, _STRIP_PIXELS // image.width)
        if rows >= image.height:
            return self._strip(image)
        whole, filled = Image.new(self.target, image.size), False
        for top in range(0, image.height, rows):
            part, shone = self._strip(image.crop((0, top, image.width, min(top + rows, image.height))))
            whole.paste(part, (0, top))
            filled |= shone
        return whole, filled

    def _strip(self, image: Image.Image) -> tuple[Image.Image, bool]:
        colours, alpha = self._split(image)
        if self.transform:
            colours = apply_profile(colours, self.transform)
        if alpha is None:
            return _converted(colours, self.target), False
        colours = _converted(colours, "L" if self.target == "L" and self.grey else "RGB")
        behind = self.background[0] if colours.mode == "L" else self.background
        filled = Image.composite(colours, Image.new(colours.mode, image.size, behind), alpha)
        return _converted(filled, self.target), True

    def _split(self, image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
        """The colours as "L", "RGB", "CMYK" or "LAB", and the alpha channel if anything shines through."""
        if self.opaque or not image.has_transparency_data:
            return _plain(image, self.grey), None
        if image.mode in ("La", "RGBa"):
            image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
        elif image.mode not in ("LA", "RGBA"):
            with suppress(ValueError, TypeError, OverflowError):  # the colour declared transparent may be nonsense
                image = image.convert("LA" if image.mode == "L" else "RGBA")
        if image.mode not in ("LA", "RGBA"):
            return _plain(image, self.grey), None
        alpha = image.getchannel("A")
        colours = image.getchannel(0) if self.grey else image.convert("RGB")
        return colours, alpha if alpha.getextrema() != (255, 255) else None


def conversion(image: Image.Image, mode: Mode | None, background: Colour, grey: bool, opaque: bool) -> Conversion:
    """What is to be done with a decoded picture of 8 bits; `grey` says that its file holds no colour."""
    even = len(set(background)) == 1
    natural: Mode = "L" if grey and (even or opaque or not image.has_transparency_data) else "RGB"
    target = mode or natural
    profile = image.info.get("icc_profile")
    held = "L" if grey else image.mode if image.mode in _OWN_PROFILES else "RGB"
    return Conversion(
        target=target,
        background=background,
        grey=grey and even,
        opaque=opaque,
        transform=_to_srgb(profile, held) if isinstance(profile, bytes) and profile else None,
    )


def transparent_key(info: dict[Any, Any], mode: str, depth: int) -> None:
    """Bring the colour that a PNG of `depth` bits declares transparent to the 8 bits that Pillow decodes."""
    key = info.get("transparency")
    if mode == "RGB" and depth == 16 and isinstance(key, tuple):
        info["transparency"] = tuple(part >> 8 for part in key)
    elif mode == "L" and depth in (2, 4) and isinstance(key, int):
        info["transparency"] = key * 255 // (2**depth - 1)


def _converted(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def _plain(image: Image.Image, grey: bool) -> Image.Image:
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image
    if grey and image.mode == "RGBA":
        return image.getchannel(0)
    image.info.pop("transparency", None)  # of no use by now, and Pillow would try to convert it too
    return image.convert("L" if grey else "RGB")


def _to_srgb(profile: bytes, mode: str) -> Transform | None:
    """None if the colours are sRGB already, or if the profile is damaged or made for another mode."""
    if len(profile) > _MAX_PROFILE:
        return None
    with suppress(ImageCms.PyCMSError, ImportError, OSError, ValueError, TypeError, AttributeError):
        return _transform(profile, mode)
    return None


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> Transform | None:
    """From the profile to sRGB by its first intent (perceptual); None if no colour changes by more than 3 levels."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    # what is precalculated for grey is up to 10 levels off in the shadows
    flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", flags=flags)
    if mode == "L":
        shades = apply_profile(Image.frombytes("L", (256, 1), bytes(range(256))), transform)
        table = tuple(shades.getchannel(1).tobytes())
        return table if max(abs(level - index) for index, level in enumerate(table)) > _SAME else None
    if mode == "RGB":
        steps = np.linspace(0, 255, 9).astype(np.uint8)
        probe = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
        after = np.asarray(apply_profile(Image.fromarray(probe), transform)).astype(int)
        return transform if np.abs(after - probe).max() > _SAME else None
    return transform


def apply_profile(image: Image.Image, transform: Transform) -> Image.Image:
    """The picture in the colours that the transform leads to."""
    if isinstance(transform, tuple):
        return image.point(transform)
    done = ImageCms.applyTransform(image, transform)
    assert done is not None  # it is None only where the picture itself is changed
    return done
