"""Points of a ring of Gaussians, the smallest data set on which a generator can lose modes."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from steadygan.data.builtin.drawing import Drawing, check_size
from steadygan.part import Value
from steadygan.spec import ImageSpec

_KEY = int.from_bytes(b"ring")
_UNIT = 2.0**-53


class Ring(Value):
    """A mixture of `modes` Gaussians of standard deviation `std` on a circle of `radius`, in [-1, 1].

    The toy of Metz et al. (2017, section 3.1), who take radius 2 and std 0.02. A point is an image of one pixel with
    two channels; uint8 level v stands for v / 127.5 - 1. Points are rounded up or down at random so that their mean
    stays exact; this adds at most a quarter of a squared level (1 / 127.5) to the variance.
    """

    kind: Literal["ring"] = "ring"
    modes: int = Field(default=8, ge=1, le=1000)
    radius: float = Field(default=0.75, gt=0, le=0.9)
    std: float = Field(default=0.02, gt=0, le=0.1)

    default_count: ClassVar[int] = 20_000

    def class_names(self) -> tuple[str, ...]:
        return tuple(f"mode {mode}" for mode in range(self.modes))

    def spec(self, size: int | None = None) -> ImageSpec:
        return ImageSpec(size=check_size(self.kind, 1 if size is None else size, 1, 1), channels=2, classes=self.modes)

    def centres(self) -> NDArray[np.float64]:
        """Middles of the modes, (modes, 2), counter-clockwise from (radius, 0)."""
        angle = np.arange(self.modes) * (math.tau / self.modes)
        return self.radius * np.stack((np.cos(angle), np.sin(angle)), axis=-1)

    def draw(self, index: int, size: int) -> Drawing:
        """Point number `index`."""
        self.spec(size)
        images, labels = self.draw_many(index, 1)
        return Drawing(images[0], {"mode": int(labels[0])}, int(labels[0]))

    def draw_many(self, start: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Points number `start` to `start + count - 1` at once: images (count, 1, 1, 2) and modes (count,)."""
        raw = np.random.Philox(key=_KEY, counter=start).random_raw(4 * count).reshape(count, 4)
        choice, length, angle = ((raw[:, :3] >> np.uint64(11)) * _UNIT).T
        mode = (choice * self.modes).astype(np.int64)
        normal = np.sqrt(-2 * np.log1p(-length)) * self.std
        step = np.stack((np.cos(math.tau * angle), np.sin(math.tau * angle)), axis=-1) * normal[:, None]
        halves = np.stack((raw[:, 3] >> np.uint64(32), raw[:, 3] & np.uint64(2**32 - 1)), axis=-1)
        levels = np.floor((self.centres()[mode] + step + 1) * 127.5 + halves * 2.0**-32)
        return np.clip(levels, 0, 255).astype(np.uint8).reshape(count, 1, 1, 2), mode


def modes_recovered(points: NDArray[np.floating], ring: Ring) -> tuple[int, float]:
    """Modes with a point within three standard deviations, and the share of points that close to some mode.

    points: (N, 2) in [-1, 1]; none gives (0, 0.0). The counts of Srivastava et al. (2017, VEEGAN, section 5.1).
    """
    if not len(points):
        return 0, 0.0
    distance = np.linalg.norm(np.asarray(points, np.float64)[:, None] - ring.centres(), axis=-1)
    close = distance <= 3 * ring.std
    return int(close.any(axis=0).sum()), float(close.any(axis=1).mean())
