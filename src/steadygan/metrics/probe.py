"""How much features or pictures tell of classes: small classifiers, trained on few labels."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from steadygan.errors import DataError
from steadygan.metrics.rows import checked
from steadygan.turing.exact import student_quantile

DECAYS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
"""Weights of the L2 penalty to choose from, on rows of length about 1; strong first, so that each starts the next."""

Pictures = tuple[Tensor, Tensor]
"""Pictures float (N, C, H, W) in -1..1 and their labels int64 (N,), on one device."""

_ROWS = ("training images", "test images")
_FOLDS = 3
_WITHOUT_FOLDS = 1e-2
_STEPS = 100
_BATCH = 64
_LR = 2e-3


def few_labels(labels: Tensor, per_class: int, seed: int) -> Tensor:
    """Indices int64 of `per_class` images of each class among `labels` (N,), by class, drawn at random.

    Nested: fewer of the same seed are a part of more. DataError if a class that occurs has not as many.
    """
    rng = np.random.default_rng(seed)
    chosen = []
    for label in labels.unique().tolist():
        own = torch.nonzero(labels == label).flatten()
        if len(own) < per_class:
            raise DataError(f"class {label} has {len(own)} labelled images and {per_class} are needed; ask for fewer")
        chosen.append(own[torch.from_numpy(rng.permutation(len(own))[:per_class])])
    return torch.cat(chosen)


def linear_probe(
    train_features: Tensor, train_labels: Tensor, test_features: Tensor, test_labels: Tensor, classes: int
) -> float:
    """Accuracy 0..1 of a linear classifier of features, higher is better. Alain and Bengio (2017), arXiv:1610.01644.

    Multinomial logistic regression with an L2 penalty, found by L-BFGS in float64. Features (N, D) are standardised
    by the mean and deviation of the training ones; one that is constant there is left out. The weight of the penalty
    is that of `DECAYS` with the least log loss in 3-fold cross-validation within the training part (2 folds where
    a class has two images, and 0.01 where one has a single one). Labels int64 (N,) in 0..classes - 1.
    The same arguments give the same number. It measures what can be read off linearly, not all that is there.
    DataError for features that are not finite or do not fit, and for a class without a training image.
    """
    _check_labels(test_features, test_labels, classes, _ROWS[1])
    told = linear_labels(train_features, train_labels, test_features, classes)
    return float((told == test_labels).double().mean())


def linear_labels(train_features: Tensor, train_labels: Tensor, features: Tensor, classes: int) -> Tensor:
    """What the classifier of `linear_probe` takes features (N, D) for: labels int64 (N,)."""
    checked(train_features, features, 1, _ROWS)
    _check_labels(train_features, train_labels, classes, _ROWS[0])
    if missing := set(range(classes)) - set(train_labels.tolist()):
        raise DataError(f"class {min(missing)} has no image to train on; label at least one of each class")
    train, test = _coordinates(train_features.double(), features.double())
    decay = _best_decay(train, train_labels, classes)
    *_, weights = _path(train, train_labels, classes, [strong for strong in DECAYS if strong >= decay])
    return _logits(test, weights).argmax(1)


def convolution_probe(sources: Sequence[Pictures], test: Pictures, classes: int, steps: int, seed: int) -> float:
    """Accuracy 0..1 of three convolutions trained on pictures, higher is better; Ravuri and Vinyals (2019), section 3.

    Their score takes a ResNet-50 and generated pictures alone; here every batch of 64 holds as many of each of the
    `sources`, drawn with repetition and shifted by up to a sixteenth of their side. Adam on a one-cycle learning rate
    (Smith and Topin 2018). The same arguments give the same number on the same machine.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _convolutions(test[0].shape[1], classes).to(test[0].device)
        optimizer = torch.optim.Adam(network.parameters(), _LR)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LR, total_steps=max(steps, 2))
        for _ in range(steps):
            images, labels = _batch(sources)
            optimizer.zero_grad()
            cross_entropy(network(images), labels).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        said = torch.cat([network(part).argmax(1) for part in test[0].split(_BATCH)])
    return float((said == test[1]).float().mean())


def mean_interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Mean of few values and its 95% interval by Student's t; without an interval for a single value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, None, None
    reach = student_quantile(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - reach, mean + reach


def _check_labels(rows: Tensor, labels: Tensor, classes: int, name: str) -> None:
    if labels.shape != rows.shape[:1]:
        raise DataError(f"{len(rows)} {name} have labels of shape {tuple(labels.shape)}; give one for each")
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"the labels of {name} are not in 0 to {classes - 1}; say how many classes there are")


def _coordinates(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Standardised features with rows of length about 1, turned so that there are no more of them than images.

    The penalised optimum lies in the span of the training rows, and a rotation changes neither it nor its penalty.
    """
    mean, std = train.mean(0), train.std(0, correction=0)
    varied = std > 1e-6 * train.abs().amax(0)
    scale = std[varied] * math.sqrt(max(1, int(varied.sum())))
    train, test = ((features[:, varied] - mean[varied]) / scale for features in (train, test))
    if train.shape[1] <= len(train):
        return train, test
    axes = torch.linalg.qr(train.T).Q
    return train @ axes, test @ axes


def _best_decay(rows: Tensor, labels: Tensor, classes: int) -> float:
    folds = min(_FOLDS, int(labels.bincount(minlength=classes).min()))
    if folds < 2:
        return _WITHOUT_FOLDS
    part = _parts(labels, folds)
    losses = torch.zeros(len(DECAYS), dtype=torch.float64)
    for fold in range(folds):
        inside, outside = part != fold, part == fold
        fitted = _path(rows[inside], labels[inside], classes, DECAYS)
        losses += torch.stack(
            [cross_entropy(_logits(rows[outside], w), labels[outside], reduction="sum") for w in fitted]
        ).cpu()
    return DECAYS[int(losses.argmin())]


def _parts(labels: Tensor, folds: int) -> Tensor:
    """The fold (N,) of each image: the images of each class are dealt out in turn."""
    part = torch.empty_like(labels)
    for label in labels.unique():
        own = labels == label
        part[own] = torch.arange(int(own.sum()), device=labels.device) % folds
    return part


def _path(rows: Tensor, labels: Tensor, classes: int, decays: Sequence[float]) -> Iterator[Tensor]:
    """The weights (D + 1, classes) for each penalty, each started from the one before."""
    weights = rows.new_zeros(rows.shape[1] + 1, classes, requires_grad=True)
    for decay in decays:
        _minimise(weights, rows, labels, decay)
        yield weights.detach().clone()


def _minimise(weights: Tensor, rows: Tensor, labels: Tensor, decay: float) -> None:
    optimizer = torch.optim.LBFGS(
        [weights], max_iter=_STEPS, tolerance_grad=1e-5, tolerance_change=1e-9, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(_logits(rows, weights), labels) + decay / 2 * weights[1:].square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)


def _logits(rows: Tensor, weights: Tensor) -> Tensor:
    """The first row of the weights is the bias, which no penalty holds."""
    return rows @ weights[1:] + weights[0]


def _batch(sources: Sequence[Pictures]) -> Pictures:
    drawn = [torch.randint(len(labels), (_BATCH // len(sources),)) for _, labels in sources]
    images = torch.cat([images[own] for (images, _), own in zip(sources, drawn, strict=True)])
    labels = torch.cat([labels[own] for (_, labels), own in zip(sources, drawn, strict=True)])
    reach = images.shape[-1] // 16
    down, right = torch.randint(-reach, reach + 1, (2,)).tolist()
    return images.roll((down, right), (2, 3)), labels


def _convolutions(channels: int, classes: int) -> nn.Module:
    """(N, C, H, W) -> (N, classes); group norm, since reals and fakes would share the statistics of a batch norm."""
    layers: list[nn.Module] = []
    for inside, outside in ((channels, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(inside, outside, 3, 2, 1), nn.GroupNorm(8, outside), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(64 * 16, classes))
