"""What a discriminator has learned of classes: a linear classifier on its features, from few labels."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d

from steadygan.data import Dataset
from steadygan.errors import DataError
from steadygan.metrics.probe import linear_probe
from steadygan.networks import Pair, classes_of
from steadygan.ops.images import from_uint8
from steadygan.runs import Run
from steadygan.studies.labelled import Estimate, Labelled, LabelledReport, markdown
from steadygan.training.average import measure_statistics
from steadygan.training.checkpoint import load as load_checkpoint
from steadygan.training.config import RunConfig
from steadygan.training.restoring import rebuilt, stored_networks, with_weights
from steadygan.training.runtime import choose_device
from steadygan.training.seeds import derive

ProbedFeatures = Literal["discriminator", "random discriminator", "pixels"]

_BATCH = 64
_GRID = 4
_PIXELS = 16


class ProbeRow(BaseModel):
    """Accuracy of a linear classifier of some features, trained on so many labels of each class."""

    features: ProbedFeatures
    labels_per_class: int
    accuracy: Estimate


class ProbeReport(LabelledReport):
    """What a discriminator has learned of classes. `told_labels`: in training it was given those of all its images.

    `left_out` are the numbers of labels that the smallest class does not have.
    """

    told_labels: bool
    left_out: list[int]
    rows: list[ProbeRow]

    def table(self) -> str:
        """As Markdown: a line for each kind of features, a column for each number of labels."""
        counts = dict.fromkeys(row.labels_per_class for row in self.rows)
        lines = [["features", *(f"{count} per class" for count in counts)]]
        lines += [
            [features, *(str(row.accuracy) for row in self.rows if row.features == features)]
            for features in dict.fromkeys(row.features for row in self.rows)
        ]
        notes = self.about()
        if self.told_labels:
            notes.append("The discriminator was told all labels in training: its features owe to more than these few.")
        if self.left_out:
            notes.append(f"Not every class has {' or '.join(map(str, self.left_out))} images to train on.")
        return markdown(lines, notes)


def load_discriminator(run: Path, which: str = "latest", recipe: RunConfig | None = None) -> nn.Module:
    """The discriminator of a run, in evaluation mode on the CPU; of its "latest", "best" or a checkpoint by name.

    `recipe` is what the run was trained with, needed if the networks are the user's own. DataError if there is no such
    checkpoint, or if its discriminator gives no features.
    """
    saved = Run(Path(run)).checkpoint(which)
    discriminator = untrained(run, 0, recipe).discriminator
    if "with_features" not in inspect.signature(discriminator.forward).parameters:
        raise DataError(
            f"the discriminator of {run} has no forward(images, with_features=True), so it gives no features"
        )
    return with_weights(discriminator, load_checkpoint(saved, ("discriminator",))["discriminator"], saved.folder)


def probe(
    run: Path,
    dataset: Dataset,
    labels_per_class: Sequence[int] = (1, 5, 20, 100),
    seeds: int = 5,
    checkpoint: str = "latest",
    recipe: RunConfig | None = None,
) -> ProbeReport:
    """A linear classifier on the discriminator's features, on those of an untrained one like it, and on pixels.

    After Radford et al. (2016), section 5.1. They pool the maps of all layers to 4×4 by their maxima; here it is the
    one map that `with_features` gives. Pixels are averages down to 16×16. Labels are drawn from the training split,
    and the untrained weights anew, for each seed; up to 2,000 held-out images are judged.

    Batch norms take their statistics from reals, trained or not. A network that is told labels is told 0 for every
    image, so that none can be read off; in the sngan and r3gan networks they join behind the features anyway. But
    it was told the true ones in training, and the report says so. The spread of a batch, as msg looks at it, is that
    of 64 images drawn at random.

    DataError without labels or held-out images, for images of another form than the run's, and where no class has
    as many images as asked for.
    """
    run, labelled = Path(run), Labelled(dataset)
    labelled.must_fit(run, dataset.spec.classes)
    counts, classes, held = labelled.possible(labels_per_class), dataset.spec.classes, labelled.judged
    reals = labelled.settling
    trained = settled(load_discriminator(run, checkpoint, recipe), reals)
    test = {"discriminator": features_of(trained, labelled.pictures(held)), "pixels": _pixels(labelled.pictures(held))}
    found: dict[tuple[ProbedFeatures, int], list[float]] = {}
    for seed in range(seeds):
        fresh = settled(untrained(run, seed, recipe).discriminator, reals)
        test["random discriminator"] = features_of(fresh, labelled.pictures(held))
        chosen = labelled.few(counts[-1], seed)
        images, labels = labelled.pictures(chosen), labelled.labels[chosen]
        train: dict[ProbedFeatures, Tensor] = {
            "discriminator": features_of(trained, images),
            "random discriminator": features_of(fresh, images),
            "pixels": _pixels(images),
        }
        for name, rows in train.items():
            for count in counts:
                part = (torch.arange(classes)[:, None] * counts[-1] + torch.arange(count)).flatten()
                right = linear_probe(rows[part], labels[part], test[name], labelled.labels[held], classes)
                found.setdefault((name, count), []).append(right)
    return ProbeReport(
        **labelled.facts(run, Run(run).checkpoint(checkpoint), seeds),
        told_labels=classes_of(trained) > 0,
        left_out=sorted(set(labels_per_class) - set(counts)),
        rows=[ProbeRow(features=f, labels_per_class=n, accuracy=Estimate.of(v)) for (f, n), v in found.items()],
    )


@torch.no_grad()
def features_of(discriminator: nn.Module, images: Tensor) -> Tensor:
    """Rows float32 (N, D) on the CPU of pictures uint8 (N, C, S, S): the last map, pooled to 4×4 by its maxima.

    Smaller maps and plain rows stay as they are. Batches of 64 in an order of their own, so that neighbours are
    strangers where a network looks at the whole batch.
    """
    order = _order(images)
    rows = []
    for inputs in _batches(discriminator, images[order]):
        maps = discriminator(*inputs, with_features=True)[1].float()
        rows.append(pooled(maps) if maps.ndim == 4 else maps.flatten(1).cpu())
    return torch.cat(rows)[order.argsort()]


def pooled(maps: Tensor) -> Tensor:
    """Rows float32 (N, D) on the CPU of maps (N, C, S, S): their maxima on a grid of 4×4; smaller ones as they are."""
    return adaptive_max_pool2d(maps.float(), min(_GRID, maps.shape[-1])).flatten(1).cpu()


def _order(images: Tensor) -> Tensor:
    return torch.randperm(len(images), generator=torch.Generator().manual_seed(0))


def _batches(discriminator: nn.Module, images: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """What a discriminator is called with: images, and the label 0 if it asks for labels."""
    device = next(discriminator.parameters()).device
    for part in images.split(_BATCH):
        labels = torch.zeros(len(part), dtype=torch.int64, device=device)
        yield from_uint8(part.to(device)), *((labels,) if classes_of(discriminator) else ())


def _pixels(images: Tensor) -> Tensor:
    side = min(_PIXELS, images.shape[-1])
    return torch.cat([adaptive_avg_pool2d(from_uint8(part), side).flatten(1) for part in images.split(_BATCH)])


def untrained(run: Path, seed: int, recipe: RunConfig | None = None) -> Pair:
    """The networks of a run's configuration with new weights that do not learn, in training mode."""
    info = Run(Path(run)).info()
    networks = stored_networks(info.config.get("networks"), recipe, Path(run), info.recipe)
    return rebuilt(networks, info.data.spec, derive(seed, "probe"))


def settled(network: nn.Module, reals: Tensor) -> nn.Module:
    """The network on the device of the work, with the statistics of reals wherever it has not got its own.

    A virtual batch norm that has no reference takes one; batch norms take the mean statistics of batches.
    """
    network = network.to(choose_device("auto"))
    if network.training:
        with torch.random.fork_rng(devices=[]):
            network(*next(_batches(network, reals)))
    measure_statistics(network.eval(), _batches(network, reals[_order(reals)]))
    return network
