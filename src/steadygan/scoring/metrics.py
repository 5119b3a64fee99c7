"""The metrics, as values: what each looks at, what it says of two sets of pictures, and in which direction."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, ClassVar, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from steadygan.config import BY_NAME
from steadygan.errors import ConfigError
from steadygan.metrics.colour import colour_distance
from steadygan.metrics.frechet import frechet_distance, frechet_extrapolated
from steadygan.metrics.inception_score import inception_score
from steadygan.metrics.kernel import kernel_distance
from steadygan.metrics.neighbours import chance_of_copies, has_twin, nearer_than_chance, nearest
from steadygan.metrics.patches import project, projected_distance, sliced_distance
from steadygan.metrics.spectrum import checkerboard_distance, spectrum_distance
from steadygan.part import lacks
from steadygan.records import Better
from steadygan.scoring.base import Circumstances, Index, Metric, OneSided, Sides, Statistic
from steadygan.scoring.describe import (
    COLOURS,
    GRIDS,
    PAIRS,
    SPECTRA,
    THUMBNAILS,
    Describer,
    Features,
    Patches,
    Rows,
)

__all__ = [
    "Checkerboard",
    "Colour",
    "Coverage",
    "Density",
    "Frechet",
    "FrechetExtrapolated",
    "InceptionScore",
    "Kernel",
    "Memorised",
    "NearDuplicates",
    "Precision",
    "Recall",
    "SlicedWasserstein",
    "Spectrum",
    "Variety",
]

_FEW_DIRECTIONS = 16


class _OfFeatures(Metric):
    def describer(self, of: Circumstances) -> Describer:
        return Features(of.extractor)


class Frechet(_OfFeatures):
    """Fréchet distance of features, as if they were Gaussian; FID, where the features are Inception's."""

    kind: Literal["fd"] = "fd"
    says: ClassVar[str] = "how far mean and spread of the features are apart; too high where pictures are few"
    paper: ClassVar[str] = "arXiv:1706.08500"

    def compare(self, sides: Sides) -> Statistic:
        return lambda real, fake: frechet_distance(sides.real[0][real], sides.fake[0][fake])


class FrechetExtrapolated(_OfFeatures):
    """Fréchet distance at infinitely many pictures, by a line through those of fewer."""

    kind: Literal["fd-infinity"] = "fd-infinity"
    lowest: ClassVar[float] = -math.inf
    says: ClassVar[str] = "the same without the bias of few pictures, but less certain"
    paper: ClassVar[str] = "arXiv:1911.07023"

    def compare(self, sides: Sides) -> Statistic:
        def statistic(real: Index, fake: Index) -> float:
            rng = torch.Generator().manual_seed(0)
            return frechet_extrapolated(sides.real[0][real], sides.fake[0][fake], rng)

        return statistic


class Kernel(_OfFeatures):
    """Kernel distance of features, unbiased; KID, where the features are Inception's."""

    kind: Literal["kid"] = "kid"
    lowest: ClassVar[float] = -math.inf
    says: ClassVar[str] = "how far apart the features are, whatever their number; may fall just below 0"
    paper: ClassVar[str] = "arXiv:1801.01401"

    def compare(self, sides: Sides) -> Statistic:
        return lambda real, fake: kernel_distance(sides.real[0][real], sides.fake[0][fake])


class Precision(_OfFeatures):
    """Share of the generated pictures that lie where reals do."""

    kind: Literal["precision"] = "precision"
    better: ClassVar[Better] = "higher"
    highest: ClassVar[float] = 1.0
    says: ClassVar[str] = "share of generated pictures that look like a real one"
    paper: ClassVar[str] = "arXiv:1904.06991"

    def compare(self, sides: Sides) -> Statistic:
        return lambda real, fake: sides.overlap(real, fake).precision


class Recall(_OfFeatures):
    """Share of the reals that lie where generated pictures do."""

    kind: Literal["recall"] = "recall"
    better: ClassVar[Better] = "higher"
    highest: ClassVar[float] = 1.0
    says: ClassVar[str] = "share of real pictures that something generated looks like"
    paper: ClassVar[str] = "arXiv:1904.06991"

    def compare(self, sides: Sides) -> Statistic:
        return lambda real, fake: sides.overlap(real, fake).recall


class Density(_OfFeatures):
    """Precision that an outlier among the reals does not spoil."""

    kind: Literal["density"] = "density"
    better: ClassVar[Better] = "higher"
    says: ClassVar[str] = "in how many neighbourhoods of reals a generated picture lies; 1 for reals themselves"
    paper: ClassVar[str] = "arXiv:2002.09797"

    def compare(self, sides: Sides) -> Statistic:
        return lambda real, fake: sides.overlap(real, fake).density


class Coverage(_OfFeatures):
    """Share of the reals with something generated in their neighbourhood."""

    kind: Literal["coverage"] = "coverage"
    better: ClassVar[Better] = "higher"
    highest: ClassVar[float] = 1.0
    says: ClassVar[str] = "share of real pictures with a generated one among their five nearest"
    paper: ClassVar[str] = "arXiv:2002.09797"

    def compare(self, sides: Sides) -> Statistic:
        return lambda real, fake: sides.overlap(real, fake).coverage


class Memorised(_OfFeatures):
    """How many generated pictures are nearer to a training image than pictures nobody copied are."""

    kind: Literal["memorised"] = "memorised"
    highest: ClassVar[float] = 1.0
    says: ClassVar[str] = "share of generated pictures nearer to a training image than 99 of 100 held-out ones are"
    paper: ClassVar[str] = "arXiv:2004.05675"
    looks_for_copies: ClassVar[bool] = True

    def compare(self, sides: Sides) -> Statistic:
        """Subsamples are of fakes and held-out images; the training images are searched once."""
        fakes, reals = (nearest(side[0], sides.pool[0])[0] for side in (sides.fake, sides.real))
        return lambda real, fake: nearer_than_chance(fakes[fake], reals[real])

    def floor(self, sides: Sides) -> float:
        return chance_of_copies(len(sides.real[0]))


class SlicedWasserstein(Metric):
    """Sliced Wasserstein distance of patches at every scale of a pyramid."""

    kind: Literal["swd"] = "swd"
    says: ClassVar[str] = "how far apart patches of 7×7 pixels are, from the finest details to the whole picture"
    paper: ClassVar[str] = "arXiv:1710.10196"

    def describer(self, of: Circumstances) -> Describer:
        return Patches(of.count, of.seed)

    def compare(self, sides: Sides) -> Statistic:
        """Of all with 128 directions; subsets, which only tell how it varies, with the first 16 of them."""
        few: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []

        def statistic(real: Index, fake: Index) -> float:
            if isinstance(real, slice) and isinstance(fake, slice):
                return float(sliced_distance(sides.real, sides.fake).mean())
            if not few:
                few.append(project(sides.real, sides.fake, _FEW_DIRECTIONS))
            reals, fakes = few[0]
            return float(projected_distance(reals[:, :, real], fakes[:, :, fake]).mean())

        return statistic


class Spectrum(Metric):
    """Distance of the mean power at every spatial frequency."""

    kind: Literal["spectrum"] = "spectrum"
    unit: ClassVar[str] = "dB"
    says: ClassVar[str] = "how much the power of fine and coarse structure differs; blur and noise show here"
    paper: ClassVar[str] = "arXiv:2003.01826"

    def describer(self, of: Circumstances) -> Describer:
        return SPECTRA

    def compare(self, sides: Sides) -> Statistic:
        return lambda real, fake: spectrum_distance(sides.real[0][real], sides.fake[0][fake])


class Colour(Metric):
    """Distance of the colours of all pixels together."""

    kind: Literal["colour"] = "colour"
    unit: ClassVar[str] = "levels"
    says: ClassVar[str] = "by how many grey levels the colours differ, of all pixels together"
    paper: ClassVar[str] = "doi:10.1023/A:1026543900054"

    def describer(self, of: Circumstances) -> Describer:
        return COLOURS

    def compare(self, sides: Sides) -> Statistic:
        return lambda real, fake: colour_distance(sides.real[0][real], sides.fake[0][fake])


class Variety(OneSided):
    """Mean structural similarity of pairs of generated pictures: how alike they are."""

    kind: Literal["ms-ssim"] = "ms-ssim"
    better: ClassVar[Better] = "as reals"
    highest: ClassVar[float] = 1.0
    says: ClassVar[str] = "how alike two generated pictures are; more than two reals means too little variety"
    paper: ClassVar[str] = "arXiv:1610.09585"

    def describer(self, of: Circumstances) -> Describer:
        return PAIRS

    def of(self, rows: Rows) -> Callable[[Index], float]:
        return lambda index: float(rows[0][index].mean())


class Checkerboard(Metric):
    """How far grids of two and four pixels stand out, beyond how they do in reals."""

    kind: Literal["checkerboard"] = "checkerboard"
    unit: ClassVar[str] = "dB"
    says: ClassVar[str] = "how much a grid of 2 or 4 pixels stands out, as transposed convolutions leave it"
    paper: ClassVar[str] = "doi:10.23915/distill.00003"

    def describer(self, of: Circumstances) -> Describer:
        return GRIDS

    def compare(self, sides: Sides) -> Statistic:
        return lambda real, fake: checkerboard_distance(sides.real[0][real], sides.fake[0][fake])


class NearDuplicates(OneSided):
    """Share of generated pictures that another one nearly equals."""

    kind: Literal["duplicates"] = "duplicates"
    threshold: float = Field(default=0.02, gt=0)
    highest: ClassVar[float] = 1.0
    says: ClassVar[str] = "share of generated pictures that another of them nearly equals"

    def describer(self, of: Circumstances) -> Describer:
        return THUMBNAILS

    def of(self, rows: Rows) -> Callable[[Index], float]:
        twins = has_twin(rows[0], self.threshold).double()  # among all: in a part of them most twins are missing
        return lambda index: float(twins[index].mean())


class InceptionScore(OneSided):
    """How sure and how varied the classes are that a classifier sees in the pictures; Inception's alone compare."""

    kind: Literal["is"] = "is"
    splits: int = Field(default=10, ge=1)
    better: ClassVar[Better] = "higher"
    says: ClassVar[str] = "how clear and how varied the classes are that Inception sees, in photographs of objects"
    paper: ClassVar[str] = "arXiv:1606.03498"

    def describer(self, of: Circumstances) -> Describer:
        if not of.extractor.classes:
            raise ConfigError("the metric is needs the classes that only Inception names; add --features inception")
        return Features(of.extractor)

    def of(self, rows: Rows) -> Callable[[Index], float]:
        return lambda index: inception_score(rows[1][index], self.splits)[0]


AnyMetric = Annotated[
    SlicedWasserstein
    | Frechet
    | FrechetExtrapolated
    | Kernel
    | Precision
    | Recall
    | Density
    | Coverage
    | Variety
    | Spectrum
    | Checkerboard
    | Colour
    | Memorised
    | NearDuplicates
    | InceptionScore,
    Field(discriminator="kind"),
    BY_NAME,
]
"""Every metric of `evaluate`."""

DEFAULT = tuple(kind() for kind in get_args(get_args(AnyMetric)[0]) if kind is not InceptionScore)
"""All that need no download."""

_MEANT = {"fid": "fd with --features inception", "inception-score": "is", "fd-inf": "fd-infinity", "msssim": "ms-ssim"}


def choose_metrics(chosen: Iterable[str | Metric]) -> tuple[Metric, ...]:
    """Metrics by their names or as they are; ConfigError names those there are."""
    known = {metric.name: metric for metric in (*DEFAULT, InceptionScore())}
    found: dict[str, Metric] = {}
    for one in chosen:
        metric = known.get(one) if isinstance(one, str) else one
        if metric is None:
            raise ConfigError(_unknown(str(one), list(known)))
        if lacking := lacks(metric, Metric):
            raise ConfigError(f"metrics: {lacking}")
        found[metric.name] = metric
    return tuple(found.values())


def _unknown(name: str, known: Sequence[str]) -> str:
    close = [_MEANT[name]] if name in _MEANT else difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    meant = f" (did you mean {close[0]}?)" if close else ""
    return f"there is no metric {name!r}{meant}; choose from {', '.join(known)}"
