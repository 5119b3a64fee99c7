"""What can be seen of a few dozen pictures uint8 (N, C, S, S), each number by itself or beside that of reals."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from steadygan.metrics import spectrum, ssim
from steadygan.metrics.neighbours import nearer_than_chance, nearest
from steadygan.metrics.pictures import SMALLEST, thumbnails

_THUMBNAIL = 16
_COMPARED = 64  # pixels: larger pictures look no more alike or less when they are reduced to it
_LEAST_GRID = 16  # pixels, under which grids are hardly seen
_LEVEL = 1 / 255


def looks(pictures: Tensor) -> dict[str, float | tuple[float, ...]]:
    """Contrast, colour, saturated values, likeness and checkerboard; without those that so small pictures have not.

    `contrast` is the mean deviation within a channel of a picture and `colour` the mean of each, of a range of 1;
    `saturated` the share of values that are 0 or 255; `ms_ssim` the mean likeness of two neighbours (Odena et al. 2017,
    section 4.2) at no more than 64 pixels; `checkerboard` the power at the frequencies of a grid of 2 or 4 pixels over
    that at those nearby, of the grid that stands out most: about 1 without a grid (`metrics.spectrum.checkerboard`).
    """
    side = pictures.shape[-1]
    found: dict[str, float | tuple[float, ...]] = {}
    if side > 1:
        levels = pictures.float() * _LEVEL
        found["contrast"] = float(levels.std((2, 3), correction=0).mean())
        found["colour"] = tuple(levels.mean((0, 2, 3)).tolist())
        found["saturated"] = float(((pictures == 0) | (pictures == 255)).float().mean())
    if side >= SMALLEST:
        reduced = pictures if side <= _COMPARED else adaptive_avg_pool2d(pictures.float(), _COMPARED).round().byte()
        found["ms_ssim"] = float(ssim.diversity(reduced).mean())
    if side >= _LEAST_GRID:
        found["checkerboard"] = 10 ** (float(spectrum.checkerboard(pictures).mean(0).max()) / 10)
    return found


def small(pictures: Tensor) -> Tensor:
    """Thumbnails to compare by, float32 (N, D) in 0..1: 16×16 pixels, or the values themselves where there are fewer.

    Their root mean square difference is the unit of `diversity` and `movement`.
    """
    if pictures.shape[-1] <= _THUMBNAIL:
        return pictures.flatten(1).float() * _LEVEL
    return thumbnails(pictures, _THUMBNAIL)


def diversity(rows: Tensor) -> float:
    """Mean root mean square difference of two thumbnails (N, D); 0 if all are equal."""
    return float(torch.pdist(rows).mean()) / math.sqrt(rows.shape[1])


def rank(rows: Tensor) -> float:
    """Effective rank of thumbnails (N, D) about their mean. Roy and Vetterli (2007), definition 1.

    exp of the entropy of the singular values over their sum: from 1, all on one line, to N - 1; 0 if all are equal.
    """
    values = torch.linalg.svdvals((rows - rows.mean(0)).double())
    total = values.sum()
    if total <= _LEVEL / 2:
        return 0.0
    return float(torch.special.entr(values / total).sum().exp())


def movement(rows: Tensor, before: Tensor) -> float:
    """Mean root mean square difference of thumbnails (N, D) to those of the same latents before."""
    return float((rows - before).norm(dim=1).mean()) / math.sqrt(rows.shape[1])


def twin_limit(groups: list[Tensor]) -> float:
    """The distance to the nearest other one that 99 of 100 reals exceed, in groups as large as that of the pictures.

    At least half a grey level in every value, so that equal pictures are twins whatever the reals are.
    """
    nearby = torch.cat([nearest(rows, rows, itself=False)[0] for rows in groups])
    return max(float(nearby.quantile(0.01)), _LEVEL / 2 * math.sqrt(groups[0].shape[1]))


def twins(rows: Tensor, limit: float) -> float:
    """Share of thumbnails (N, D) nearer than that to another."""
    return float((nearest(rows, rows, itself=False)[0] < limit).double().mean())


def copies(rows: Tensor, training: Tensor, held_out: Tensor) -> float:
    """`metrics.neighbours.memorised`, of thumbnails; `held_out` are distances (M,) to the nearest training image."""
    return nearer_than_chance(nearest(rows, training)[0], held_out)
