"""Fréchet distance of features: plain, and extrapolated to infinitely many images."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from steadygan.errors import DataError
from steadygan.metrics.rows import checked, checked_rows

_CHUNK = 4096
_PARTS = 4


class Gaussian(NamedTuple):
    """Mean (D,) and covariance (D, D) with N - 1 in its denominator, float64."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Gaussian:
        """The Gaussian of features (N, D), N >= 2. Chan et al. (1979), equation 2.1: never all of them in float64."""
        checked_rows(features, "images", 2)
        count = 0
        mean = torch.zeros(features.shape[1], dtype=torch.float64, device=features.device)
        scatter = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=features.device)
        for chunk in features.split(_CHUNK):
            rows, size = chunk.double(), len(chunk)
            step = rows.mean(0) - mean
            rows = rows - rows.mean(0)
            scatter += rows.T @ rows + torch.outer(step, step) * (count * size / (count + size))
            count += size
            mean = mean + step * (size / count)
        return cls(mean, scatter / (count - 1))


def gaussian_distance(real: Gaussian, fake: Gaussian) -> float:
    """|m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½). Heusel et al. (2017), arXiv:1706.08500, equation 6.

    Squared units of the features, >= 0, lower is better, symmetric. The trace of (S1 S2)^½ is that of
    (S1^½ S2 S1^½)^½, which is symmetric: two decompositions of symmetric matrices do, nothing complex arises, and
    covariances of less than full rank need no care. DataError for different widths.
    """
    if real.mean.shape != fake.mean.shape:
        raise DataError(
            f"the reals have {len(real.mean):,} features each and the generated images {len(fake.mean):,}; "
            "take those of both from the same extractor"
        )
    values, vectors = torch.linalg.eigh(real.covariance)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ fake.covariance @ root).clamp_min(0).sqrt().sum()
    traces = real.covariance.trace() + fake.covariance.trace()
    distance = (real.mean - fake.mean).square().sum() + traces - 2 * cross
    return float(distance.clamp_min(0))  # rounding may leave it a little below for equal sides


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Distance of the Gaussians of features (N, D) and (M, D); see `gaussian_distance`. The FID, if the features are.

    Biased upwards, roughly by a constant over the number of images (Chong and Forsyth 2020, section 3.1): compare
    only values of the same numbers. Blind to anything but mean and covariance. DataError for fewer than 2 rows.
    """
    checked(real, fake, least=2)
    if max(len(real), len(fake)) < real.shape[1]:
        return _of_few(real.double(), fake.double())
    return gaussian_distance(Gaussian.of(real), Gaussian.of(fake))


def _of_few(real: Tensor, fake: Tensor) -> float:
    """The same for fewer rows than features, without a matrix of all features: X and Y being the centred rows, each
    over √(N - 1), the trace of (XᵀX YᵀY)^½ is the sum of the singular values of X Yᵀ.
    """
    means = real.mean(0), fake.mean(0)
    some, others = ((x - mean) / math.sqrt(len(x) - 1) for x, mean in zip((real, fake), means, strict=True))
    cross = torch.linalg.svdvals(some @ others.T).sum()
    traces = some.square().sum() + others.square().sum()
    return float(((means[0] - means[1]).square().sum() + traces - 2 * cross).clamp_min(0))


def frechet_extrapolated(real: Tensor, fake: Tensor, rng: torch.Generator) -> float:
    """Fréchet distance of infinitely many images, by a line. Chong and Forsyth (2020), arXiv:1911.07023, section 4.

    The distance of n images against n is fitted by a + b / n, and a returned. Here n reals meet n fakes, as both
    sides bias it, and n is the smaller side, its half, third and quarter; at each, the mean over all disjoint parts,
    so that every point of the line rests on the same images (in a random order) and little but the bias differs.
    Units and direction as `frechet_distance`; may fall below 0 for equal sides. Takes n of at least four times the
    number of features: below that the line bends (500 images of 200 features keep an eighth of the bias).
    DataError for fewer than 8 rows.
    """
    checked(real, fake, least=2 * _PARTS)
    count = min(len(real), len(fake))
    real, fake = (_shuffled(rows, rng)[:count] for rows in (real, fake))
    inverse, values = [], []
    for parts in range(1, _PARTS + 1):
        size = count // parts
        pairs = zip(range(parts), real.split(size), fake.split(size), strict=False)
        values.append(sum(frechet_distance(some, others) for _, some, others in pairs) / parts)
        inverse.append([1, 1 / size])
    design, target = (torch.tensor(numbers, dtype=torch.float64) for numbers in (inverse, values))
    return float(torch.linalg.lstsq(design, target[:, None]).solution[0])


def _shuffled(rows: Tensor, rng: torch.Generator) -> Tensor:
    return rows[torch.randperm(len(rows), generator=rng).to(rows.device)]
