"""At which layer a generator knows what class its picture will be of: linear classifiers on its activations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from steadygan.data import Dataset
from steadygan.export import load
from steadygan.metrics.probe import linear_labels, linear_probe
from steadygan.runs import Run
from steadygan.studies.labelled import Estimate, Labelled, LabelledReport, markdown
from steadygan.studies.probe import features_of, load_discriminator, pooled, settled, untrained
from steadygan.training.average import measure_statistics
from steadygan.training.config import RunConfig
from steadygan.training.runtime import choose_device

LATENT = "latent"

_BATCH = 64
_SETTLING = 512
_LEAST = 5
_TAUGHT = 100


class LayerRow(BaseModel):
    """Accuracy at the largest maps of this side, or at the latent, in the generator and in an untrained one."""

    layer: str
    trained: Estimate
    untrained: Estimate


class GeneratorReport(LabelledReport):
    """At which layer a generator knows the class. `pictures` were generated for each seed, half of them to judge on.

    `labels_right` is how often the discriminator's probe, which labelled them, is right about held-out reals;
    `frequent` the share of the most frequent class in what was judged. `told_classes`: it was told the class to make.
    """

    pictures: int
    labels_right: float
    frequent: Estimate | None
    told_classes: bool
    rows: list[LayerRow]

    def table(self) -> str:
        """As Markdown: a line for each layer, and what the numbers do not say."""
        lines = [["layer of the generator", "trained", "untrained"]]
        lines += [[row.layer, str(row.trained), str(row.untrained)] for row in self.rows]
        judge = f"a linear probe on the discriminator, right about {self.labels_right:.1%} of {self.judged:,} held-out"
        notes = [f"Classes of {self.pictures:,} generated pictures as told by {judge} reals."]
        if self.frequent is None:
            notes.append("It sees a single class in them, so that no layer can be asked for it.")
        else:
            notes.append(f"Always the most frequent class in the half that is judged: {self.frequent}.")
        if self.told_classes:
            notes.append("The generator was told the class to make: that its first layers know it is no merit.")
        return markdown(lines, notes)


def generator_probe(
    run: Path,
    dataset: Dataset,
    seeds: int = 3,
    checkpoint: str = "latest",
    pictures: int = 1_000,
    recipe: RunConfig | None = None,
) -> GeneratorReport:
    """A linear classifier on each layer of the averaged generator, which tells the class its picture will be of.

    Real images have no activations in a generator, so generated ones are asked about: a classifier labels them, and a
    linear one learns to tell these labels from inside the generator, as Shen et al. (2020), arXiv:1907.10786, section
    3.1, do at the latent, and Bau et al. (2019), arXiv:1811.10597, with the units of each layer. Here the labels are
    those of a linear probe on the discriminator, from up to 100 training images of each class, and a layer is the
    last map of each side, pooled to 4×4 by its maxima; the last one may be the picture itself. Half of the pictures
    teach, half are judged; classes that fewer than 5 of the first show are left out.

    It says where the class becomes readable by a line, not whether the pictures are good, nor whether the labels are
    right: an untrained generator of the same latents, asked for the same labels, is the control. A layer knows no more
    than the latent holds; it only lays it out. DataError as for the discriminator's probe.
    """
    run, labelled = Path(run), Labelled(dataset)
    labelled.must_fit(run, dataset.spec.classes)
    model = load(run, checkpoint, recipe).to(choose_device("auto"))
    judge, right = _judge(labelled, load_discriminator(run, checkpoint, recipe))
    found: dict[str, list[tuple[float, float]]] = {}
    frequent = []
    for seed in range(seeds):
        latents, given = model.latents(pictures, seed), model.labels(range(pictures))
        labels = judge(model.pictures(latents, *given))
        network = untrained(run, seed, recipe).generator.to(choose_device("auto"))
        batches = _batches(network, latents[:_SETTLING], *(label[:_SETTLING] for label in given))
        measure_statistics(network.eval(), batches)
        channels = dataset.spec.channels
        trained, fresh = (
            readable(features_by_layer(each, channels, latents, *given), labels) for each in (model.generator, network)
        )
        for layer, accuracy in trained.items():
            found.setdefault(layer, []).append((accuracy, fresh[layer]))
        if trained:
            frequent.append(_most_frequent(labels))
    return GeneratorReport(
        **labelled.facts(run, Run(run).checkpoint(checkpoint), seeds),
        pictures=pictures,
        labels_right=right,
        frequent=Estimate.of(frequent) if frequent else None,
        told_classes=model.classes > 0,
        rows=[_row(layer, pairs) for layer, pairs in found.items()],
    )


@torch.no_grad()
def features_by_layer(generator: nn.Module, channels: int, latents: Tensor, *given: Tensor) -> dict[str, Tensor]:
    """Rows float32 (N, D) on the CPU of the latents and of the last map of each side, which is pooled to 4×4.

    Of maps with as many `channels` as the pictures only the first counts, and only where its side has no other.
    """
    parts = [_maps(generator, channels, inputs) for inputs in _batches(generator, latents, *given)]
    maps = {f"{side}×{side}": torch.cat([part[side] for part in parts]) for side in sorted(parts[0])}
    return {LATENT: latents.float().cpu(), **maps}


def _maps(generator: nn.Module, channels: int, inputs: tuple[Tensor, ...]) -> dict[int, Tensor]:
    """The rows of one batch, by the side of the maps."""
    kept: dict[int, Tensor] = {}

    def keep(layer: nn.Module, asked: object, made: object) -> None:
        if not isinstance(made, Tensor) or made.ndim != 4 or made.shape[3] == 1:  # no map
            return
        side = made.shape[3]
        if made.shape[1] != channels or side not in kept:
            kept[side] = made[-len(inputs[0]) :]  # behind the reference of a virtual batch norm

    hooks = [layer.register_forward_hook(keep) for layer in generator.modules()]
    generator(*inputs)
    for hook in hooks:
        hook.remove()
    return {side: pooled(maps) for side, maps in kept.items()}


def readable(rows: Mapping[str, Tensor], labels: Tensor) -> dict[str, float]:
    """Accuracy 0..1, for each kind of rows (N, D), of a linear classifier of labels (N,): half teach, half are judged.

    Empty where fewer than two classes have 5 in the first half; other classes are left out.
    """
    half = torch.arange(len(labels)) < len(labels) // 2
    kept, names = _kept(labels)
    if len(names) < 2:
        return {}
    numbers = torch.searchsorted(names, labels)
    teach, test = half & kept, ~half & kept
    return {
        name: linear_probe(features[teach], numbers[teach], features[test], numbers[test], len(names))
        for name, features in rows.items()
    }


def _kept(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Which images count, and the classes they are of, ascending."""
    names, counts = labels[: len(labels) // 2].unique(return_counts=True)
    names = names[counts >= _LEAST]
    return torch.isin(labels, names), names


def _most_frequent(labels: Tensor) -> float:
    half, (kept, _) = len(labels) // 2, _kept(labels)
    judged = labels[half:][kept[half:]]
    return float(judged.bincount().max() / len(judged))


class _Judge:
    """The label of each picture by a linear probe on the discriminator."""

    def __init__(self, discriminator: nn.Module, rows: Tensor, labels: Tensor, classes: int) -> None:
        self.discriminator, self.rows, self.labels, self.classes = discriminator, rows, labels, classes

    def __call__(self, pictures: Tensor) -> Tensor:
        return linear_labels(self.rows, self.labels, features_of(self.discriminator, pictures), self.classes)


def _judge(labelled: Labelled, discriminator: nn.Module) -> tuple[_Judge, float]:
    """With the share of held-out reals that it labels rightly."""
    discriminator = settled(discriminator, labelled.settling)
    chosen = labelled.few(labelled.possible([min(_TAUGHT, labelled.least)])[0], 0)
    rows = features_of(discriminator, labelled.pictures(chosen))
    judge = _Judge(discriminator, rows, labelled.labels[chosen], labelled.dataset.spec.classes)
    told = judge(labelled.pictures(labelled.judged))
    return judge, float((told == labelled.labels[labelled.judged]).double().mean())


def _batches(network: nn.Module, *inputs: Tensor) -> list[tuple[Tensor, ...]]:
    device = next(network.parameters()).device
    return list(zip(*(each.to(device).split(_BATCH) for each in inputs), strict=True))


def _row(layer: str, pairs: list[tuple[float, float]]) -> LayerRow:
    trained, fresh = zip(*pairs, strict=True)
    return LayerRow(layer=layer, trained=Estimate.of(trained), untrained=Estimate.of(fresh))
