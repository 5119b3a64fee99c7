"""Which images no training ever sees, so that what was learned can be judged."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from steadygan.data.indices import joined

MOST = 5_000
"""More images than this are never held out: scores get no better by them, and training misses them."""


def hold_out(
    digests: Sequence[str],
    families: Iterable[Sequence[int]],
    share: float,
    before: Collection[str] = (),
    never: Collection[int] = (),
    seed: int = 0,
) -> NDArray[np.int64]:
    """Indices of the images to hold out, ascending: at most `share` of them and at most 5,000.

    `digests` has one entry an image. The images of a family (a file's frames or crops, near-duplicates) stay together,
    or a copy of a held-out image would be trained on. Which families are taken depends on the digests in them and on
    nothing else, so that neither names nor order nor workers matter; those with a digest in `before` come first,
    so that images once held out stay so when others are added, even if copies of them make it more than `share` (but
    never more than half). Images in `never` are not counted and never held out, nor is the family of one. Another
    `seed` takes others.
    """
    number, barred = len(digests) - len(never), set(never)
    quota = min(int(number * share), MOST)
    chosen: list[int] = []
    everyone = ((index,) for index in range(len(digests)))
    for family in sorted(joined((*families, *everyone)), key=lambda family: _rank(family, digests, before, seed)):
        new, _ = _rank(family, digests, before, seed)
        if barred.isdisjoint(family) and len(chosen) + len(family) <= (quota if new else number // 2 * bool(quota)):
            chosen += family
    return np.array(sorted(chosen), np.int64)


def _rank(family: Sequence[int], digests: Sequence[str], before: Collection[str], seed: int) -> tuple[bool, str]:
    members = [digests[index] for index in family]
    text = f"held out {seed} {min(members)}" if seed else f"held out {min(members)}"
    place = hashlib.sha256(text.encode()).hexdigest()
    return not any(digest in before for digest in members), place
