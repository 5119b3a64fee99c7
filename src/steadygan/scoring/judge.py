"""The judge of generated pictures: every metric with its floor, its uncertainty and its protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steadygan.errors import DataError
from steadygan.features import Extractor
from steadygan.metrics.neighbours import nearest
from steadygan.metrics.uncertainty import Subsamples, interval, subsamples
from steadygan.records import Score
from steadygan.scoring.base import ALL, Circumstances, Metric, Sides
from steadygan.scoring.cache import keep, recall
from steadygan.scoring.describe import Describer, Features, Rows, describe, even
from steadygan.scoring.protocol import Protocol
from steadygan.scoring.reference import Reference

__all__ = ["Judge"]

Indices = NDArray[np.int64]

REPEATS = 40
_INTERVAL_SEED = 1


class Judge:
    """Compares generated pictures with one reference, by some metrics. The reals are looked at once.

    `repeats` subsamples make each interval; 0 makes none. `counting` is told what is looked at, how many of them have
    been, and how many there are.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        reference: Reference,
        extractor: Extractor,
        repeats: int = REPEATS,
        counting: Callable[[str, int, int], None] = lambda *_: None,
    ) -> None:
        self.metrics = tuple(metrics)
        self.reference = reference
        self.repeats = repeats
        self.counting = counting
        self.drawn: dict[tuple[int, int], Subsamples] = {}
        of = Circumstances(extractor, reference.count, reference.seed)
        self.described = [metric.describer(of) for metric in self.metrics]
        self.describers = {one.fingerprint: one for one in self.described}

    def __call__(self, fakes: Iterable[Tensor]) -> list[Score]:
        """Score the first `reference.count` pictures of a stream of batches uint8 (N, C, S, S)."""
        return self.scores(self.rows(fakes))

    def rows(self, fakes: Iterable[Tensor]) -> dict[str, Rows]:
        """Rows of generated pictures by the fingerprints of the describers."""
        count = self.reference.count
        return describe(self.describers, self._watched("generated pictures", count, even(self._checked(fakes), count)))

    def scores(self, rows: dict[str, Rows]) -> list[Score]:
        """Every metric of these rows."""
        sides = {name: self._sides(name, fake) for name, fake in rows.items()}
        return [self._score(number, sides[one.fingerprint]) for number, one in enumerate(self.described)]

    def closest(self, rows: dict[str, Rows], count: int, among: int) -> tuple[Indices, Indices, Indices] | None:
        """Which of the first `among` generated pictures are likest to training images, measured by their distance to
        held-out ones; and which images of the set those are. Each training image comes once while there are others.
        None if no metric looks for copies.
        """
        if not self._looking_for_copies() or not len(self.reference.pool):
            return None
        name = self._looking_for_copies()[0].fingerprint
        fake, (real, _, pool) = rows[name][0][:among], self.reals[name]
        (near, which), (apart, other) = (nearest(fake, side[0]) for side in (pool, real))
        ranked = (near / apart.clamp_min(1e-12)).argsort().numpy()
        firsts = np.sort(np.unique(which.numpy()[ranked], return_index=True)[1])
        order = np.concatenate([ranked[firsts], np.delete(ranked, firsts)])[:count]
        return order, self.reference.pool[which.numpy()[order]], self.reference.real[other.numpy()[order]]

    @cached_property
    def reals(self) -> dict[str, tuple[Rows, Rows, Rows]]:
        """Rows of the reals, the others and the pool, by the fingerprints of the describers; features once for all."""
        reference, dataset = self.reference, self.reference.dataset
        sets = reference.real, reference.other, reference.pool
        copies = {one.fingerprint for one in self._looking_for_copies()}
        found: list[dict[str, Rows]] = [dict.fromkeys(self.describers, ()) for _ in sets]
        missing = []
        for indices, rows in zip(sets, found, strict=True):
            wanted = {name: one for name, one in self.describers.items() if indices is not sets[2] or name in copies}
            cached = {name: recall(dataset, indices, name) for name, one in wanted.items() if isinstance(one, Features)}
            rows.update({name: kept for name, kept in cached.items() if kept is not None})
            if left := {name: one for name, one in wanted.items() if cached.get(name) is None and len(indices)}:
                missing.append((indices, left, rows))
        done, total = 0, sum(len(indices) for indices, *_ in missing)
        for indices, left, rows in missing:
            rows.update(describe(left, self._watched("real images", total, reference.pictures(indices), done)))
            done += len(indices)
            for name, one in left.items():
                if isinstance(one, Features):
                    keep(dataset, indices, name, rows[name])
        real, other, pool = found
        return {name: (real[name], other[name], pool[name]) for name in self.describers}

    @cached_property
    def floors(self) -> list[float]:
        """What reals score against other reals, metric by metric."""
        sides = {name: self._sides(name, other) for name, (_, other, _) in self.reals.items()}
        pairs = zip(self.metrics, self.described, strict=True)
        return [metric.floor(sides[describer.fingerprint]) for metric, describer in pairs]

    def _looking_for_copies(self) -> list[Describer]:
        pairs = zip(self.metrics, self.described, strict=True)
        return [describer for metric, describer in pairs if metric.looks_for_copies]

    def _sides(self, name: str, fake: Rows) -> Sides:
        real, _, pool = self.reals[name]
        return Sides(real, fake, pool)

    def _score(self, number: int, sides: Sides) -> Score:
        metric, describer = self.metrics[number], self.described[number]
        statistic = metric.compare(sides)
        value = statistic(ALL, ALL)
        low, high = None, None
        if self.repeats:
            low, high = interval(statistic, self._subsamples(len(sides.real[0]), len(sides.fake[0])), value)
            low, high = max(low, metric.lowest), min(high, metric.highest)
        return Score(
            metric=metric.name,
            value=value,
            floor=self.floors[number],
            low=low,
            high=high,
            better=metric.better,
            unit=metric.unit,
            says=metric.says,
            protocol=str(self._protocol(metric, describer)),
        )

    def _subsamples(self, real: int, fake: int) -> Subsamples:
        """The same for all metrics of as many rows, so that some can share their work."""
        if (real, fake) not in self.drawn:
            rng = torch.Generator().manual_seed(_INTERVAL_SEED)
            self.drawn[real, fake] = subsamples(real, fake, self.repeats, rng)
        return self.drawn[real, fake]

    def _protocol(self, metric: Metric, describer: Describer) -> Protocol:
        reference, settings = self.reference, metric.model_dump(exclude={"kind"})
        return Protocol(
            metric=f"{metric.name}-{metric.version}",
            settings=",".join(f"{name}={value}" for name, value in settings.items()),
            described_by=describer.fingerprint,
            n=reference.count,
            split=reference.split,
            data=reference.dataset.digest[:12],
            seed=reference.seed,
        )

    def _watched(self, what: str, total: int, batches: Iterable[Tensor], done: int = 0) -> Iterator[Tensor]:
        for images in batches:
            yield images
            done += len(images)
            self.counting(f"looking at {what}", done, total)

    def _checked(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """The stream, refused where its form is not that of the reals or it ends too soon."""
        spec, needed = self.reference.dataset.spec, self.reference.count
        form, came = (spec.channels, spec.size, spec.size), 0
        for images in batches:
            if images.dtype != torch.uint8 or tuple(images.shape[1:]) != form:
                shown = f"{images.dtype} {tuple(images.shape)}".removeprefix("torch.")
                raise DataError(
                    f"generated pictures must be uint8 (N, {', '.join(map(str, form))}) like the reals, not {shown}"
                )
            came += len(images)
            yield images
            if came >= needed:
                return
        raise DataError(f"there are {came} generated pictures and {needed} are needed; give more, or ask for -n {came}")
