"""What upsampling does to the frequencies of pictures: the power spectrum, and the grids of transposed convolutions."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from steadygan.errors import DataError
from steadygan.metrics.pictures import check_pictures

_LUMA = (0.299, 0.587, 0.114)
_ROUNDING = 1 / 12
"""Power of rounding to whole grey levels: what is far below it says nothing, and has no logarithm that is minus ∞."""


def log_spectrum(images: Tensor) -> Tensor:
    """Power of the luma at each frequency, mean over all directions, in dB: float32 (N, K).

    `images`: uint8 (N, C, S, S). Column k - 1 is the ring of frequencies of k cycles per picture, rounded, up to the
    corner of the plane, where checkerboards are: K is S / sqrt 2, rounded. The mean brightness is left out. The
    azimuthal average of Durall et al. (2020), arXiv:2003.01826, section 3. Behind a Hann window, since otherwise the
    jump from one edge to the opposite one covers what high frequencies there are (and so the outermost pixels count
    little); divided by the window's power, so that white noise with a deviation of σ grey levels has 20 log10(σ) dB
    everywhere.
    """
    power = _power(images, half=True)
    count, side, half = power.shape
    rings = _rings(side)
    # of each pair of opposite frequencies the half plane holds one, but for its first column and an even side's last
    twice = torch.full((half,), 2.0)
    twice[0] = 1
    twice[-1] = 1 if side % 2 == 0 else 2
    weights = twice.expand(side, half).flatten().to(power.device)
    sums = power.new_zeros(int(rings.max()) + 1, count)
    sizes = sums.new_zeros(len(sums)).index_add_(0, rings.to(power.device), weights)
    sums.index_add_(0, rings.to(power.device), (power.flatten(1) * weights).T.contiguous())
    return _decibels(sums[1:] / sizes[1:, None]).T.contiguous()


def spectrum_distance(real: Tensor, fake: Tensor) -> float:
    """Root mean square, over all frequencies, of the difference between mean spectra, in dB; lower is better.

    `real`, `fake`: rows of `log_spectrum`, (N, K) and (M, K). 0 for equal ones; 3 dB is a factor of two in power at
    every frequency. Symmetric. It does not say whether there is too much or too little, and compares means only:
    one half too sharp and the other too blurred would be right on average.
    """
    _check_rows(real, fake, "spectra")
    difference = real.mean(0, dtype=torch.float64) - fake.mean(0, dtype=torch.float64)
    return float(difference.square().mean().sqrt())


def checkerboard(images: Tensor) -> Tensor:
    """How far grids of 2 and of 4 pixels stand out in the spectrum of each picture, in dB: float32 (N, 9).

    Without them from about -5 to 1 on average, single values scattering by 3 dB; higher is worse. `images`: uint8
    (N, C, S, S). Odena et al. (2016), "Deconvolution and checkerboard artifacts", describe them; the measure is ours.
    A layer that treats every second pixel differently multiplies what it shows with a grid, whose spectrum thus lies,
    as copies of the low frequencies, around the grid's frequency: 1/4 or 1/2 of a cycle per pixel to the right, down,
    or both. At each of these nine (see `_grids`) the mean power of a small square is divided by the geometric mean of
    equal squares nearby, beside it along each axis on which it is not at 0: that is about 1 wherever power is a power
    of frequency, and less where it is least at 1/2. Under 32 pixels the grids' frequencies are so near to each other
    that grids are seen less well, and under 16 hardly at all.
    """
    power = _power(images, half=False)
    side = power.shape[-1]
    radius = max(1, side // 64)
    local = _decibels(_smoothed(power, radius))
    near, far = min(3 * radius, side // 8), min(5 * radius, side // 8)
    offsets = torch.tensor([*range(-far, 1 - near), *range(near, far + 1)])
    excess = []
    for down, right in _grids(side):
        axes = [axis for axis in (0, 1) if (down, right)[axis]]
        beside = [
            local[:, (down + (axis == 0) * offsets) % side, (right + (axis == 1) * offsets) % side] for axis in axes
        ]
        excess.append(local[:, down, right] - torch.cat(beside, 1).mean(1))
    return torch.stack(excess, dim=1)


def checkerboard_distance(real: Tensor, fake: Tensor) -> float:
    """How far the grid that stands out most in the fakes does so beyond the reals, in dB; 0 is best.

    `real`, `fake`: rows of `checkerboard`, (N, 9) and (M, 9). The greatest of nine differences of means, fakes less
    reals; reals below 0 count as 0, so that neither noise nor sharpness pass for a grid, and so does a result below 0.
    Perfect fakes score less than 1 from 100 pictures on. Not symmetric: a grid that only the reals have is no fault.
    """
    _check_rows(real, fake, "grids")
    reals, fakes = (rows.mean(0, dtype=torch.float64) for rows in (real, fake))
    return float((fakes - reals.clamp(min=0)).max().clamp(min=0))


def _check_rows(real: Tensor, fake: Tensor, what: str) -> None:
    if not len(real) or not len(fake):
        raise DataError(f"{what} need at least one real and one generated picture to be compared")
    if real.shape[1:] != fake.shape[1:]:
        raise DataError(
            f"{what} of {real.shape[1]} and of {fake.shape[1]} frequencies cannot be compared; "
            "real and generated pictures need the same size"
        )


def _luma(images: Tensor) -> Tensor:
    """(N, C, S, S) -> float32 (N, S, S): ITU-R BT.601 for three channels, otherwise the mean of all."""
    levels = images.to(torch.float32)
    if levels.shape[1] != len(_LUMA):
        return levels.mean(1)
    red, green, blue = (weight * levels[:, channel] for channel, weight in enumerate(_LUMA))
    return red + green + blue


def _power(images: Tensor, *, half: bool) -> Tensor:
    """Power (N, S, S) of the luma at each frequency, (N, S, S // 2 + 1) if `half`; white noise has its variance."""
    check_pictures(images)
    luma = _luma(images)
    side = luma.shape[-1]
    # sampled between its zeros: symmetric, and all but 0 beyond the neighbours of a frequency
    hann = torch.sin(math.pi * (torch.arange(side, device=luma.device) + 0.5) / side).square()
    window = hann[:, None] * hann
    luma -= (luma * window).sum((1, 2), keepdim=True) / window.sum()
    transform = torch.fft.rfft2 if half else torch.fft.fft2
    return transform(luma * window).abs().square() / window.square().sum()


def _decibels(power: Tensor) -> Tensor:
    return 10 * (power + _ROUNDING).log10()


def _rings(side: int) -> Tensor:
    """The distance from 0 of each frequency of the half plane, rounded: int64 (side · (side // 2 + 1),)."""
    down, right = np.fft.fftfreq(side, 1 / side), np.fft.rfftfreq(side, 1 / side)
    return torch.from_numpy(np.rint(np.hypot(down[:, None], right)).astype(np.int64).ravel())


def _smoothed(power: Tensor, radius: int) -> Tensor:
    """Means over squares of 2 · radius + 1 frequencies, on the plane that has no edges."""
    width = 2 * radius + 1
    wrapped = pad(power[:, None], (radius,) * 4, mode="circular")
    return avg_pool2d(avg_pool2d(wrapped, (width, 1), 1), (1, width), 1)[:, 0]


def _grids(side: int) -> list[tuple[int, int]]:
    """Frequencies (down, right) of grids of 2 and of 4 pixels, one of each pair of opposite ones."""
    half, quarter = round(side / 2), round(side / 4)
    straight = [(0, quarter), (quarter, 0), (0, half), (half, 0)]
    return [*straight, (quarter, quarter), (quarter, -quarter), (quarter, half), (half, quarter), (half, half)]
