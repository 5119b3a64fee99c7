"""Features without learned weights: a two-layer wavelet scattering."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from steadygan.features.base import Described, PictureExtractor
from steadygan.ops.resample import downsample2
from steadygan.part import Part

VERSION = 1
SIZE = 64
OCTAVES = 4
ORIENTATIONS = 6
DIMENSIONS = 172

_RADIUS = 3
_WIDTH = 1.1  # pixels: the standard deviation of the filters' envelope
_FREQUENCY = 5 * math.pi / 8  # radians per pixel: waves of 3.2, 6.4, 12.8 and 25.6 pixels
_FLOOR = 1 / 255  # one grey level: what is fainter counts little, be it from rounding, JPEG or a generator
_LEAST_SHARE = 0.01  # of an envelope's variation in its height, below which it counts as smooth
_AREAS = 4

# Round numbers that bring photographs, small ones of things and aerial ones, to about 0 ± 1. A Fréchet distance does
# not depend on the centres; a polynomial kernel does.
_GAINS = (4.0, 8.0, 8.0)
_CENTRES = (-3.5, -4.7, -4.7)
_SECOND_CENTRE = -1.5


class Scattering(Part):
    """Moduli of wavelets, and of wavelets of these, averaged over the picture. Mallat (2012); Bruna and Mallat (2013).

    Nothing is learned or downloaded, and all machines give the same numbers up to rounding. Version 1:

    - Pictures in 0..1 are brought to 64×64 by antialiased bicubic interpolation and turned into three planes: luma
      (R + G + B)/3, and chroma (R - G)/√2 and (R + G - 2B)/√6, the opponent colours of van de Sande et al. (2010).
    - A pyramid of 4 octaves x_j, 64 to 8 pixels wide, by the filter [1, 3, 3, 1]/8, borders repeated.
    - 6 Morlet filters ψ_l at each octave, 7×7, borders reflected: g(u) (exp(i k·u) - β), with g a Gaussian of standard
      deviation 1.1 pixels, k of length 5π/8 at the angle l·30°, β such that the sum is 0; scaled so that a wave of
      amplitude a and wave vector k has the modulus a.
    - Order 0, 48 numbers: means of 4×4 areas of each plane; (luma - 0.5)·4, chroma·8.
    - Order 1, 88 numbers: log(S + 1/255) + c with S the mean of |x_j * ψ_l|: of each plane, octave and orientation (72,
      by plane, then octave, then orientation), and of luma by octave in each quadrant, mean over orientations (16); c
      is 3.5 for luma and 4.7 for chroma.
    - Order 2, 36 numbers: for octaves a < b and turns t of 0° to 150°, the mean over l and the picture of
      ||x_a * ψ_l| * ψ_(l+t)|, the inner modulus brought to octave b by the same filter [1, 3, 3, 1]/8. Of this
      mean R, log(R/(S_a + 1/255) + 0.01) + 1.5 with S_a the mean of S over orientations: of luma only, and free of its
      contrast.

    Adding a constant to a picture changes order 0 only. A quarter turn swaps areas and orientations. A grey picture has
    0 in the order 0 of its chroma and log(1/255) + 4.7 in order 1.
    """

    paper: ClassVar[str] = "arXiv:1203.1513"
    helps: ClassVar[str] = "Judges pictures of any kind on any machine, with nothing to download and in little time."
    hurts: ClassVar[str] = "Sees colour, texture and rough layout, not what things are: a cat with two heads is a cat."

    kind: Literal["scattering"] = "scattering"

    def build(self, device: torch.device) -> PictureExtractor:
        return PictureExtractor(
            ScatteringNetwork().to(device),
            name=self.kind,
            dimensions=DIMENSIONS,
            fingerprint=f"{self.kind}-{VERSION} resize=bicubic-antialiased-{SIZE}",
            device=device,
            at_once=16,
            light=True,
        )


class ScatteringNetwork(nn.Module):
    """The formulas of `Scattering`: uint8 (N, 3, S, S) -> features (N, 172)."""

    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        psi = morlets()
        self.register_buffer("filters", torch.cat([psi.real, psi.imag]).float()[:, None])

    def forward(self, images: Tensor) -> Described:
        octaves = [opponents(resized(images.float() / 255, SIZE))]
        while len(octaves) < OCTAVES:
            octaves.append(downsample2(octaves[-1]))
        moduli = [self._moduli(octave) for octave in octaves]
        luma = [plane[:, 0] for plane in moduli]
        parts = [self._areas(octaves[0]), self._first(moduli), self._quadrants(luma), self._second(luma)]
        return Described(torch.cat(parts, 1))

    def _moduli(self, maps: Tensor) -> Tensor:
        """|x * ψ_l| for every map: (N, C, H, W) -> (N, C, 6, H, W)."""
        padded = F.pad(maps, (_RADIUS,) * 4, mode="reflect")
        parts = F.conv2d(padded.flatten(0, 1)[:, None], self.filters)
        if parts.requires_grad:  # the modulus has no gradient at 0, where all of a plain picture lies; torch says NaN
            parts.register_hook(torch.nan_to_num)
        real, imaginary = parts.unflatten(0, maps.shape[:2]).split(ORIENTATIONS, 2)
        return torch.hypot(real, imaginary)

    def _areas(self, planes: Tensor) -> Tensor:
        means = F.avg_pool2d(planes, SIZE // _AREAS)
        middle = planes.new_tensor([0.5, 0, 0])[:, None, None]
        return ((means - middle) * planes.new_tensor(_GAINS)[:, None, None]).flatten(1)

    def _first(self, moduli: Sequence[Tensor]) -> Tensor:
        means = torch.stack([octave.mean((-2, -1)) for octave in moduli], 2)
        return (_log(means) - means.new_tensor(_CENTRES)[:, None, None]).flatten(1)

    def _quadrants(self, luma: Sequence[Tensor]) -> Tensor:
        means = [F.avg_pool2d(octave.mean(1), octave.shape[-1] // 2).flatten(1) for octave in luma]
        return _log(torch.cat(means, 1)) - _CENTRES[0]

    def _second(self, luma: Sequence[Tensor]) -> Tensor:
        found = []
        for octave, inner in enumerate(luma[:-1]):
            contrast = inner.mean((-3, -2, -1))[:, None] + _FLOOR
            smaller = inner
            for _ in range(octave + 1, OCTAVES):
                smaller = downsample2(smaller)
                means = self._moduli(smaller).mean((-2, -1))
                found.append(torch.log(_by_turn(means) / contrast + _LEAST_SHARE) - _SECOND_CENTRE)
        return torch.cat(found, 1)


def morlets() -> Tensor:
    """The 6 filters, complex128 (6, 7, 7), rows downwards: the angle is from the x axis towards rising row numbers."""
    axis = torch.arange(-_RADIUS, _RADIUS + 1, dtype=torch.float64)
    angles = torch.arange(ORIENTATIONS, dtype=torch.float64)[:, None, None] * (math.pi / ORIENTATIONS)
    phase = _FREQUENCY * (axis * angles.cos() + axis[:, None] * angles.sin())
    wave = torch.polar(torch.ones_like(phase), phase)
    envelope = torch.exp(-(axis**2 + axis[:, None] ** 2) / (2 * _WIDTH**2))
    offset = (envelope * wave).sum((1, 2), keepdim=True) / envelope.sum()
    psi = envelope * (wave - offset)
    return 2 * psi / (psi * wave.conj()).sum((1, 2), keepdim=True)


def opponents(colours: Tensor) -> Tensor:
    """Luma and two planes of chroma: (N, 3, H, W) -> (N, 3, H, W). Exactly 0 chroma for exactly grey pictures."""
    red, green, blue = colours.unbind(1)
    warm = (red - blue) + (green - blue)
    return torch.stack([(red + green + blue) / 3, (red - green) / math.sqrt(2), warm / math.sqrt(6)], 1)


def resized(images: Tensor, size: int) -> Tensor:
    """Antialiased bicubic interpolation to `size`, as Pillow does it but without rounding or clipping."""
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, size=(size, size), mode="bicubic", antialias=True, align_corners=False)


def _log(means: Tensor) -> Tensor:
    return torch.log(means + _FLOOR)


def _by_turn(means: Tensor) -> Tensor:
    """Mean over l of entries (l, l + t): (N, 6, 6) -> (N, 6), by t."""
    first = torch.arange(ORIENTATIONS, device=means.device)
    turns = first[:, None]
    return means[:, first, (first + turns) % ORIENTATIONS].mean(2)
