"""What generated images add to a small training set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import BaseModel
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from steadygan.data import Dataset
from steadygan.errors import ConfigError
from steadygan.export import TrainedGenerator, load
from steadygan.metrics.probe import Pictures, convolution_probe
from steadygan.ops.images import from_uint8
from steadygan.runs import Run
from steadygan.studies.labelled import Estimate, Indices, Labelled, LabelledReport, markdown
from steadygan.training.config import RunConfig
from steadygan.training.runtime import choose_device

_SEEN = 32
_BATCH = 64

_CAUTION = (
    "The generator was trained on all labelled images: with few reals the gain is that of an outside generator, and "
    "only the line of all reals says what it adds to its own training set."
)


class GainRow(BaseModel):
    """Accuracy of a classifier from `real_per_class` reals (None: all), with generated images `added`, the difference.

    The `gain` is paired by seed: the same reals and the same first weights.
    """

    real_per_class: int | None
    alone: Estimate
    added: Estimate
    gain: Estimate


class GainReport(LabelledReport):
    """What generated images add to a training set. `generated` is the accuracy from them alone."""

    fakes_per_class: int
    steps: int
    generated: Estimate
    rows: list[GainRow]

    def table(self) -> str:
        """As Markdown: a line for each number of reals, and what the numbers do not say."""
        lines = [["reals per class", "alone", f"with {self.fakes_per_class} generated", "gain"]]
        lines += [
            [str(row.real_per_class or "all"), str(row.alone), str(row.added), str(row.gain)] for row in self.rows
        ]
        lines.append(["none", "", str(self.generated), ""])
        return markdown(lines, [*self.about(), _CAUTION])


def augmentation_gain(
    run: Path,
    dataset: Dataset,
    real_per_class: Sequence[int] = (5, 20, 100),
    fakes_per_class: int = 500,
    seeds: int = 3,
    checkpoint: str = "best",
    steps: int = 400,
    recipe: RunConfig | None = None,
) -> GainReport:
    """Accuracy of a small convolutional network from few reals, alone and with generated images of the same classes.

    Each training takes as many steps of as many images; with generated ones, half of every batch are real. Pictures
    are averaged down to 32 pixels and shifted at random. From generated images alone this is the classification
    accuracy score of Ravuri and Vinyals (2019), arXiv:1905.10887, with a much smaller classifier. ConfigError for a
    generator without classes, DataError for images that do not fit it.
    """
    run, labelled = Path(run), Labelled(dataset)
    generator = load(run, checkpoint, recipe)
    if not generator.classes:
        raise ConfigError(
            f"{run} was trained without classes, so its images have no labels to learn from; train one on "
            "labelled images with the recipe sngan or r3gan, or with networks.conditional=true"
        )
    labelled.must_fit(run, generator.classes)
    counts: list[int | None] = [*labelled.possible(real_per_class), None]
    test = _reals(labelled, labelled.judged)
    scores: dict[int | None, list[tuple[float, float]]] = {count: [] for count in counts}
    generated = []
    for seed in range(seeds):
        fakes = _fakes(generator, fakes_per_class, seed)
        generated.append(convolution_probe([fakes], test, dataset.spec.classes, steps, seed))
        for count in counts:
            reals = _reals(labelled, dataset.training if count is None else labelled.few(count, seed))
            sets = ([reals], [reals, fakes])
            alone, added = (convolution_probe(each, test, dataset.spec.classes, steps, seed) for each in sets)
            scores[count].append((alone, added))
    return GainReport(
        **labelled.facts(run, Run(run).checkpoint(generator.about["checkpoint"]), seeds),
        fakes_per_class=fakes_per_class,
        steps=steps,
        generated=Estimate.of(generated),
        rows=[_row(count, pairs) for count, pairs in scores.items()],
    )


def _row(count: int | None, pairs: Sequence[tuple[float, float]]) -> GainRow:
    alone, added = zip(*pairs, strict=True)
    gain = Estimate.of([after - before for before, after in pairs], least=-1)
    return GainRow(real_per_class=count, alone=Estimate.of(alone), added=Estimate.of(added), gain=gain)


def _reals(labelled: Labelled, indices: Indices) -> Pictures:
    return _small(labelled.pictures(indices), labelled.labels[indices])


def _fakes(generator: TrainedGenerator, per_class: int, seed: int) -> Pictures:
    """Those that `export --images` writes of this seed."""
    count = per_class * generator.classes
    (labels,) = generator.labels(range(count))
    return _small(generator.to(choose_device("auto")).sample(count, seed), labels)


def _small(images: Tensor, labels: Tensor) -> Pictures:
    side, device = min(_SEEN, images.shape[-1]), choose_device("auto")
    small = torch.cat([adaptive_avg_pool2d(from_uint8(part), side) for part in images.split(_BATCH)])
    return small.to(device), labels.to(device)
