"""Metrics of nearest neighbours, by blocks of distances: precision and recall, density and coverage, copies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from steadygan.errors import DataError
from steadygan.metrics.rows import checked, checked_rows

_BLOCK = 1000
_NARROW, _WIDE = 3, 5  # neighbours in the sphere of precision and recall, and in that of density and coverage
_SAME = 1e-12  # of the squared lengths; float32 features of one image from two batches differ by about as much
_TIE = 1e-9
_RARE = 0.01  # of held-out images may be as near to training images without being copies


class Overlap(NamedTuple):
    """How far fakes lie where reals do (precision, density) and the other way (recall, coverage); higher is better."""

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(real: Tensor, fake: Tensor) -> Overlap:
    """Precision, recall, density and coverage of features (N, D) and (M, D).

    A sphere around an image reaches to its k-th nearest neighbour on its own side.
    - precision: share of fakes in a sphere of some real; recall: share of reals in a sphere of some fake. Both in
      0..1, k = 3, spheres closed. Kynkäänniemi et al. (2019), arXiv:1904.06991, equations 1 and 2.
    - density: how many spheres of reals a fake lies in, over k; from 0 upwards, 1 on average for equal distributions.
      Coverage: share of reals whose sphere holds a fake, in 0..1, about 0.97 for equal distributions and numbers.
      k = 5, spheres open as in the authors' code. Naeem et al. (2020), arXiv:2002.09797, section 3.

    All but density rise and fall with the numbers of images: compare only values of the same. An outlier's sphere
    flatters precision (of reals) and recall (of fakes); a real with five exact copies among the reals has an empty
    open sphere. DataError for fewer than 6 rows.
    """
    checked(real, fake, least=_WIDE + 1)
    real_radii, fake_radii = _squared_radii(real, _WIDE), _squared_radii(fake, _NARROW)
    real_narrow, fake_narrow = real_radii[:, _NARROW - 1] * (1 + _TIE), fake_radii[:, _NARROW - 1] * (1 + _TIE)
    real_wide = real_radii[:, _WIDE - 1] * (1 - _TIE)
    precise, recalled, covered = (torch.zeros(len(x), dtype=torch.bool, device=x.device) for x in (fake, real, real))
    inside = 0
    for reals, fakes, squared in _blocks(real, fake):
        precise[fakes] |= (squared <= real_narrow[reals, None]).any(0)
        recalled[reals] |= (squared <= fake_narrow[fakes]).any(1)
        near = squared < real_wide[reals, None]
        covered[reals] |= near.any(1)
        inside += int(near.sum())
    precision, recall, coverage = (float(found.double().mean()) for found in (precise, recalled, covered))
    return Overlap(precision, recall, inside / (_WIDE * len(fake)), coverage)


def nearest(query: Tensor, pool: Tensor, itself: bool = True) -> tuple[Tensor, Tensor]:
    """Euclidean distance (N,), float64, from each row of `query` (N, D) to the nearest of `pool` (M, D), and its index.

    `itself=False`: both are the same rows, and none is its own neighbour. Rows may be of any type, uint8 too; no more
    than a block of them is brought to float64 at a time. Rows nearer than about a millionth of their length count as
    equal. DataError without a row to find.
    """
    checked(query, pool, 1, ("images to look up", "images to search"))
    if not itself and not (query.shape == pool.shape and len(pool) > 1):
        raise DataError("the neighbours of images among themselves were asked for; give the same 2 or more twice")
    squares = torch.full((len(query),), torch.inf, dtype=torch.float64, device=query.device)
    indices = torch.zeros(len(query), dtype=torch.int64, device=query.device)
    for rows, columns, squared in _blocks(query, pool, itself):
        found = squared.min(1)
        nearer = found.values < squares[rows]
        squares[rows] = torch.where(nearer, found.values, squares[rows])
        indices[rows] = torch.where(nearer, found.indices + columns.start, indices[rows])
    return squares.sqrt(), indices


def memorised(fake: Tensor, training: Tensor, held_out: Tensor) -> float:
    """Share of fakes nearer to a training image than 99 of 100 held-out images are: 0.01 by chance, 1 of copies.

    Against held-out images, as the data-copying test of Meehan et al. (2020), arXiv:2004.05675, section 2; but poor
    fakes, which are far from everything, are no copies. In 0..1, lower is better. Training and held-out images must
    come from one source, by lot.
    """
    checked(training, held_out, 1, ("training images", "held-out images"))
    checked(training, fake, 1, ("training images", "generated images"))
    return nearer_than_chance(nearest(fake, training)[0], nearest(held_out, training)[0])


def nearer_than_chance(fake: Tensor, held_out: Tensor) -> float:
    """`memorised` by distances (N,) and (M,) to the nearest training image. By chance it is `chance_of_copies(M)`."""
    limit = held_out.sort().values[_rank(len(held_out)) - 1]
    return float((fake < limit).double().mean())


def chance_of_copies(held_out: int) -> float:
    """What `memorised` is on average of fresh images like those held out, of which there are so many."""
    return _rank(held_out) / (held_out + 1)


def _rank(count: int) -> int:
    """How manyth the nearest of so many held-out images is that still counts as no copy."""
    return max(1, round(_RARE * count))


def duplicates(rows: Tensor, threshold: float) -> float:
    """Share of rows (N, D) with another whose root mean square difference per element is at most the threshold.

    In 0..1; lower is better. The threshold is in the rows' own units: pixels in 0..255 or -1..1 need not be features.
    0 finds exact copies. DataError for fewer than 2 rows.
    """
    return float(has_twin(rows, threshold).double().mean())


def has_twin(rows: Tensor, threshold: float) -> Tensor:
    """Which of the rows are such `duplicates`: bool (N,)."""
    checked_rows(rows, "images", 2)
    return nearest(rows, rows, itself=False)[0] / math.sqrt(rows.shape[1]) <= threshold


def _squared_radii(rows: Tensor, count: int) -> Tensor:
    """Squared distances (N, count) to the nearest others, ascending."""
    radii = torch.full((len(rows), count), torch.inf, dtype=torch.float64, device=rows.device)
    for left, _, squared in _blocks(rows, rows, itself=False):
        radii[left] = torch.cat([radii[left], squared], 1).topk(count, largest=False).values
    return radii


def _blocks(some: Tensor, others: Tensor, itself: bool = True) -> Iterator[tuple[slice, slice, Tensor]]:
    """Where a block lies, and its squared distances; with `itself=False` the diagonal is infinite."""
    centre = others[:_BLOCK].double().mean(0)  # smaller numbers cancel less
    for row in range(0, len(some), _BLOCK):
        left = some[row : row + _BLOCK].double() - centre
        for column in range(0, len(others), _BLOCK):
            right = others[column : column + _BLOCK].double() - centre
            lengths = left.square().sum(1)[:, None] + right.square().sum(1)
            squared = torch.addmm(lengths, left, right.T, beta=1 - _SAME, alpha=-2).clamp_min_(0)
            if not itself and row == column:
                squared.fill_diagonal_(torch.inf)
            yield slice(row, row + len(left)), slice(column, column + len(right)), squared
