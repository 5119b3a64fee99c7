"""How every metric answers to pictures that get worse step by step: which of them to trust on one's own images.

    python benchmarks/scores.py photos/ --picture answers.png

The pictures are disturbed by noise, blur, JPEG, wrong colours, grids, lost modes and copies. Prints JSON. Whether
features see what things are, beside each other as a table:

    python benchmarks/scores.py labelled/ --disturbances noise,blur,shuffling,losing --metrics fd,kid,precision,recall \
        --features scattering,efficientnet --table
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from answers import save_answers
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel
from torch import Tensor
from torch.nn.functional import conv2d, pad

from steadygan.config import resolve
from steadygan.data import Dataset
from steadygan.features import AnyFeatures, Extractor, Scattering
from steadygan.records import Score
from steadygan.scoring import Judge, Metric, Reference, choose_reference
from steadygan.scoring.metrics import DEFAULT, InceptionScore
from steadygan.studies.evaluate import EvaluationSettings, open_reals
from steadygan.training.console import Reporter, Silent, reporter
from steadygan.training.sampling import rows as picture_rows
from steadygan.visual.grid import save_grid

LEVELS = 3


@dataclass(frozen=True)
class Bench:
    """What disturbances are made from: `fresh` reals, neither in the reference nor in the pool, and the pool."""

    reference: Reference
    fresh: Tensor
    pool: Tensor
    rng: np.random.Generator
    labels: NDArray[np.int64] | None = None  # of `fresh`


Disturbance = Callable[[Bench, int], Tensor]
"""Pictures (N, C, S, S) at level 1 to 3, worse and worse, from the reals of a bench."""


def noise(bench: Bench, level: int) -> Tensor:
    """Gaussian noise of 4, 12 or 36 grey levels."""
    spread = 4 * 3 ** (level - 1)
    drawn = torch.from_numpy(bench.rng.normal(0, spread, bench.fresh.shape).astype(np.float32))
    return _levels(bench.fresh + drawn)


def blur(bench: Bench, level: int) -> Tensor:
    """A Gaussian of 0.5, 1 or 2 pixels."""
    width = 2.0 ** (level - 2)
    offsets = torch.arange(-6, 7)
    line = torch.exp(-0.5 * (offsets / width).square())
    kernel = (line / line.sum()).expand(bench.fresh.shape[1], 1, 1, -1)
    maps = pad(bench.fresh.float(), (6,) * 4, mode="reflect")
    groups = bench.fresh.shape[1]
    return _levels(conv2d(conv2d(maps, kernel, groups=groups), kernel.mT, groups=groups))


def jpeg(bench: Bench, level: int) -> Tensor:
    """Saved as JPEG of quality 75, 40 or 10, channel by channel."""
    quality = (75, 40, 10)[level - 1]
    flat = bench.fresh.flatten(0, 1).numpy()
    return torch.from_numpy(np.stack([_saved(picture, quality) for picture in flat])).view(bench.fresh.shape)


def _saved(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def colour(bench: Bench, level: int) -> Tensor:
    """The first channel 4, 12 or 36 levels brighter."""
    shifted = bench.fresh.float()
    shifted[:, 0] += 4 * 3 ** (level - 1)
    return _levels(shifted)


def grid(bench: Bench, level: int) -> Tensor:
    """Every second pixel 1, 3 or 9 levels brighter and the others as much darker."""
    side = torch.arange(bench.fresh.shape[-1])
    board = ((side[:, None] + side) % 2) * 2 - 1
    return _levels(bench.fresh + board * 3 ** (level - 1))


def dropping(bench: Bench, level: int) -> Tensor:
    """None of the brightest quarter, half or three quarters of the pictures; the others more often."""
    order = bench.fresh.float().mean((1, 2, 3)).argsort()
    kept = order[: max(2, len(order) * (4 - level) // 4)]
    return bench.fresh[kept[torch.from_numpy(bench.rng.integers(len(kept), size=len(order)))]]


def repeating(bench: Bench, level: int) -> Tensor:
    """Only a half, a tenth or a fiftieth of the pictures, again and again."""
    kept = max(2, len(bench.fresh) // (2, 10, 50)[level - 1])
    return bench.fresh[torch.from_numpy(bench.rng.permutation(np.arange(len(bench.fresh)) % kept))]


def copying(bench: Bench, level: int) -> Tensor:
    """A tenth, a half or all of the pictures are training images."""
    number = len(bench.fresh) * (1, 5, 10)[level - 1] // 10
    taken = bench.rng.integers(len(bench.pool), size=number)
    mixed = torch.cat([bench.pool[torch.from_numpy(taken)], bench.fresh[number:]])
    return mixed[torch.from_numpy(bench.rng.permutation(len(mixed)))]


def shuffling(bench: Bench, level: int) -> Tensor:
    """Cut into 2×2, 4×4 or 8×8 tiles that are put together in another order, another one in each picture."""
    count, channels, size, _ = bench.fresh.shape
    across = 2**level
    shape = (count, channels, across, size // across, across, size // across)
    tiles = bench.fresh.view(shape).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = torch.from_numpy(bench.rng.random((count, across**2)).argsort(1))
    moved = tiles[torch.arange(count)[:, None], order].unflatten(1, (across, across))
    return moved.permute(0, 3, 1, 4, 2, 5).reshape(bench.fresh.shape)


def losing(bench: Bench, level: int) -> Tensor:
    """Nothing of the last quarter, half or three quarters of the classes; of the others more."""
    if bench.labels is None:
        raise SystemExit("losing needs images with labels")
    classes = np.unique(bench.labels)
    kept = np.flatnonzero(np.isin(bench.labels, classes[: max(1, len(classes) * (4 - level) // 4)]))
    return bench.fresh[torch.from_numpy(kept[bench.rng.integers(len(kept), size=len(bench.labels))])]


DISTURBANCES: tuple[Disturbance, ...] = (noise, blur, jpeg, colour, grid, dropping, repeating, copying)
OF_THINGS: tuple[Disturbance, ...] = (shuffling, losing)
"""What leaves colours and textures about as they were; asked for by name."""


def _levels(maps: Tensor) -> Tensor:
    return maps.round().clamp(0, 255).to(torch.uint8)


class Answer(BaseModel):
    """A metric of pictures disturbed at a level; level 0 are the pictures as they were."""

    disturbance: str
    level: int
    metric: str
    value: float
    error: float


class ScoresReport(BaseModel):
    """Every metric at every level of every disturbance. `error` of an answer is half of its interval of 95 %.

    `same_class` is the share of the undisturbed pictures whose nearest image of the reference, by the features, has
    their label; None without labels.
    """

    data: str
    count: int
    features: str
    disturbances: dict[str, str]
    metrics: list[str]
    answers: list[Answer]
    same_class: float | None

    def value(self, disturbance: str, level: int, metric: str) -> Answer:
        """One answer; at level 0 the disturbance does not matter."""
        wanted = disturbance if level else "none"
        return next(a for a in self.answers if (a.disturbance, a.level, a.metric) == (wanted, level, metric))

    def table(self) -> str:
        """Markdown: a line for each disturbance and level, a column for each metric."""
        lines = [f"| disturbance | {' | '.join(self.metrics)} |", "|---" * (len(self.metrics) + 1) + "|"]
        for name, level in [("none", 0), *((name, level) for name in self.disturbances for level in (1, 2, 3))]:
            cells = [f"{self.value(name, level, metric).value:.3g}" for metric in self.metrics]
            lines.append(f"| {name if not level else f'{name} {level}'} | {' | '.join(cells)} |")
        return "\n".join(lines)


def bench_scores(
    dataset: Dataset,
    metrics: Sequence[Metric] = DEFAULT,
    features: AnyFeatures = Scattering(),  # noqa: B008 - frozen
    count: int | None = None,
    console: Reporter | None = None,
    disturbances: Sequence[Disturbance] = DISTURBANCES,
) -> tuple[ScoresReport, dict[str, list[Tensor]]]:
    """Score reals that get worse, by every metric; and one picture of each level, to look at.

    A third of the images at most are the reference, a third those that are disturbed, the rest the training images
    among which copies are looked for; `count` of the first two kinds at most.
    """
    console = console or Silent()
    bench = _bench(dataset, count)
    extractor = features.build(torch.device("cpu"))
    judge = Judge(metrics, bench.reference, extractor)
    answers, shown = _answers("none", 0, judge([bench.fresh])), {}
    for number, disturbance in enumerate(disturbances):
        name = disturbance.__name__
        shown[name] = [bench.fresh[0]]
        for level in range(1, LEVELS + 1):
            pictures = disturbance(replace(bench, rng=np.random.default_rng((number, level))), level)
            answers += _answers(name, level, judge([pictures]))
            shown[name].append(pictures[0])
            console.counting("disturbances", number * LEVELS + level, LEVELS * len(disturbances))
    about = {one.__name__: (one.__doc__ or "").strip() for one in disturbances}
    names = [metric.name for metric in metrics]
    report = ScoresReport(
        data=str(dataset.path),
        count=len(bench.fresh),
        features=extractor.name,
        disturbances=about,
        metrics=names,
        answers=answers,
        same_class=_same_class(bench, extractor),
    )
    return report, shown


def _same_class(bench: Bench, extractor: Extractor) -> float | None:
    if bench.labels is None or bench.reference.dataset.labels is None:
        return None
    reals = extractor(torch.cat(list(bench.reference.pictures(bench.reference.real)))).features
    nearest = torch.cdist(extractor(bench.fresh).features, reals).argmin(1).numpy()
    return float((bench.reference.dataset.labels[bench.reference.real][nearest] == bench.labels).mean())


def _bench(dataset: Dataset, count: int | None) -> Bench:
    """Three parts of a set, none of which share an image."""
    third = len(dataset) // 3
    reference = choose_reference(dataset, "all", min(third, count or third))
    pool = np.setdiff1d(reference.pool, reference.other)
    reference = replace(reference, pool=pool)
    fresh, copied = (torch.cat(list(reference.pictures(indices))) for indices in (reference.other, pool[: 4 * third]))
    labels = None if dataset.labels is None else dataset.labels[reference.other]
    return Bench(reference, fresh, copied, np.random.default_rng(0), labels)


def _answers(disturbance: str, level: int, scores: list[Score]) -> list[Answer]:
    return [
        Answer(
            disturbance=disturbance,
            level=level,
            metric=score.metric,
            value=score.value,
            error=((score.high or 0) - (score.low or 0)) / 2,
        )
        for score in scores
    ]


def draw(report: ScoresReport, shown: dict[str, list[Tensor]], path: Path) -> None:
    """The table in colours, and beside it, as NAME-pictures.png, one picture at each level of each disturbance."""
    better = {metric.name: metric.better for metric in (*DEFAULT, InceptionScore())}
    columns = [(name, level) for name in report.disturbances for level in range(1, LEVELS + 1)]
    strength = np.array(
        [[_worse(report, *place, metric, better[metric]) for place in columns] for metric in report.metrics]
    )
    texts = [[_short(report.value(*place, metric).value) for place in columns] for metric in report.metrics]
    save_answers(report.metrics, [f"{name} {level}" for name, level in columns], strength, texts, path)
    pictures = torch.stack([shown[name][level] for level in range(LEVELS + 1) for name in shown])
    save_grid(picture_rows(pictures), path.with_stem(f"{path.stem}-pictures"), columns=len(shown))


def _short(value: float) -> str:
    return f"{value:.0e}" if 0 < abs(value) < 1e-3 else f"{value:.2g}"


def _worse(report: ScoresReport, disturbance: str, level: int, metric: str, better: str) -> float:
    """How much worse than undisturbed, in half widths of the interval there; or higher, of what should be as reals."""
    before, after = report.value(disturbance, 0, metric), report.value(disturbance, level, metric)
    change = (after.value - before.value) / max(before.error, 1e-12)
    return -change if better == "higher" else change


def beside(reports: Sequence[ScoresReport]) -> str:
    """Markdown: how much worse than undisturbed, in half widths of the interval; columns by metric, then features."""
    better = {metric.name: metric.better for metric in (*DEFAULT, InceptionScore())}
    columns = [(metric, report) for metric in reports[0].metrics for report in reports]
    lines = [f"| | {' | '.join(f'{metric}, {report.features}' for metric, report in columns)} |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for name in reports[0].disturbances:
        for level in range(1, LEVELS + 1):
            cells = [f"{_worse(report, name, level, metric, better[metric]):.1f}" for metric, report in columns]
            lines.append(f"| {name} {level} | {' | '.join(cells)} |")
    lines += [
        f"\nnearest of the same class, {r.features}: {r.same_class:.3f}" for r in reports if r.same_class is not None
    ]
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    known = {one.__name__: one for one in (*DISTURBANCES, *OF_THINGS)}
    parser = argparse.ArgumentParser(description="How every metric answers to pictures that get worse step by step.")
    parser.add_argument("source", help="folder of images, prepared data set, or builtin:NAME")
    parser.add_argument("--size", type=int, default=64, help="pixels of a side")
    parser.add_argument("--metrics", help="names with commas between [default: all without download]")
    parser.add_argument("--features", default="scattering", help="scattering, efficientnet, inception, dinov2 or clip")
    parser.add_argument("--disturbances", default=",".join(one.__name__ for one in DISTURBANCES), help=", ".join(known))
    parser.add_argument("-n", "--count", type=int, help="pictures of each kind [default: a third]")
    parser.add_argument("--picture", type=Path, help="draw the table here, and beside it what was done")
    parser.add_argument("--table", action="store_true", help="print how much worse; --features may name several")
    asked = parser.parse_args(words)
    if unknown := set(asked.disturbances.split(",")) - set(known):
        parser.error(f"no disturbance {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    console, reports = reporter(), []
    for features in asked.features.split(","):
        given = {"features": features, "size": asked.size} | ({"metrics": asked.metrics} if asked.metrics else {})
        chosen = resolve(EvaluationSettings, given)
        dataset, _ = open_reals(asked.source, asked.source, console, asked.size)
        disturbances = [known[name] for name in asked.disturbances.split(",")]
        report, shown = bench_scores(dataset, chosen.metrics, chosen.features, asked.count, console, disturbances)
        reports.append(report)
    console.close()
    if asked.picture:
        draw(report, shown, asked.picture)
    print(beside(reports) if asked.table else report.model_dump_json(indent=2))


if __name__ == "__main__":
    main()
