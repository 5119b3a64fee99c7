"""A Fréchet distance in the features of a small classifier that no competitor trains on, with its own floor.

    python benchmarks/distance.py --check
    python benchmarks/distance.py --data cifar --size 32

Heusel et al. (2017), arXiv:1706.08500, equation 6, but with features of our own, since nothing can be downloaded: a
classifier of 32×32 photographs, trained here in a few minutes and kept in a file. Features are the means over the
whole image of its middle maps (64) and of its last ones (128, before the linear layer), each divided by its deviation
over the photographs it was trained on. Being means, they exist at any size: images of 64 pixels are judged at 64.
The figures compare with each other, never with the FID of a paper, and only if they come from the same classifier
file, the same images and the same count; each stands beside the floor, which is what reals score against other reals.

`--check` proves the arithmetic. Without it, the floor is printed and what damaged reals score: a distance that did
not rise with the damage would be of no use.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, interpolate, pad

from steadygan.data import Batches, Dataset, PrepareSettings, prepare
from steadygan.ops.images import from_uint8, to_uint8

Images = NDArray[np.uint8]
P = ParamSpec("P")
R = TypeVar("R")

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SETS = {"cifar": DATA / "cifar10-jpeg-30k.zip", "aerial": DATA / "aerial", "faces": DATA / "faces"}
LABELLED_SIZE = 32
_EPOCHS, _BATCH, _SHIFT = 8, 128, 4
_CROWD = 512


def open_set(name: str, size: int, folder: Path, limit: int | None = None) -> Dataset:
    """A set by one of our names or by its path, brought to a size by `prepare`; made once in `folder`."""
    source = SETS.get(name, Path(name))
    parts = [source.stem, str(size), *([str(limit)] if limit else [])]
    return prepare(source, folder / "-".join(parts), PrepareSettings(size=size, limit=limit))


def unseen_by(trained: Dataset, full: Dataset) -> Images:
    """Images of the whole set that nobody trains on: what `trained` holds out, and all that is not in it."""
    seen = {image.tobytes() for image in trained.images[trained.training]}
    return full.images[[index for index, image in enumerate(full.images) if image.tobytes() not in seen]]


def alone(work: Callable[P, R], *given: P.args, **named: P.kwargs) -> R:
    """What `work` returns or raises, in a fresh process that nobody shares with it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *given, **named).result()


class Classifier(nn.Module):
    """(N, 3, S, S) in -1..1 -> logits (N, classes); `features` are those of the distance, (N, 192)."""

    deviation: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.middle = nn.Sequential(*_block(3, 32, 4, 2), *_block(32, 64, 3, 1))
        self.last = nn.Sequential(*_block(64, 64, 4, 2), *_block(64, 128, 3, 1))
        self.head = nn.Linear(128, classes)
        self.register_buffer("deviation", torch.ones(64 + 128))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.last(self.middle(images)).mean((2, 3)))
        return logits

    def features(self, images: Tensor) -> Tensor:
        middle: Tensor = self.middle(images)
        return torch.cat([middle.mean((2, 3)), self.last(middle).mean((2, 3))], 1) / self.deviation


def _block(inside: int, outside: int, kernel: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inside, outside, kernel, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]


def load_classifier(path: Path, labelled: str, folder: Path) -> tuple[Classifier, str]:
    """The classifier of a file and the file's digest; trained on the set `labelled` first if there is no such file."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        classifier = train_classifier(open_set(labelled, LABELLED_SIZE, folder))
        save_file({name: tensor.contiguous() for name, tensor in classifier.state_dict().items()}, path)
    tensors = load_file(path)
    classifier = Classifier(len(tensors["head.weight"])).eval().requires_grad_(False)
    classifier.load_state_dict(tensors)
    return _fast(classifier), hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _fast(classifier: Classifier) -> Classifier:
    return classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return] # not in stubs


def train_classifier(dataset: Dataset) -> Classifier:
    """Cross-entropy, AdamW with a one-cycle rate, mirrored and shifted images; prints the held-out accuracy."""
    if dataset.labels is None:
        raise SystemExit(f"{dataset.path} has no labels to train a classifier on")
    torch.manual_seed(0)
    classifier = _fast(Classifier(dataset.spec.classes))
    steps, start = _EPOCHS * len(dataset.training) // _BATCH, time.perf_counter()
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=steps)
    with closing(Batches(dataset, batch=_BATCH, seed=0, mirror=True)) as batches:
        for _ in range(steps):
            images, labels = next(batches)
            assert labels is not None
            optimizer.zero_grad()
            torch.autograd.backward(cross_entropy(classifier(_shifted(images)), labels))
            optimizer.step()
            rate.step()
    classifier.eval()
    features = features_of(classifier, dataset.images[dataset.training[:5000]])
    classifier.deviation.copy_(features.std(0).clamp_min(1e-3))
    held = dataset.held_out
    with torch.inference_mode():
        logits = torch.cat([classifier(part) for part in _batches(dataset.images[held])])
    right = (logits.argmax(1) == torch.from_numpy(dataset.labels[held])).double().mean()
    print(f"classifier: {float(right):.3f} of {len(held):,} held-out images right, {time.perf_counter() - start:.0f} s")
    return classifier


def _shifted(images: Tensor) -> Tensor:
    """The batch moved by up to 4 pixels, with its own mirrored border."""
    top, left = torch.randint(2 * _SHIFT + 1, (2,)).tolist()
    size = images.shape[-1]
    return pad(images, (_SHIFT,) * 4, "reflect")[..., top : top + size, left : left + size]


def _batches(images: Images) -> list[Tensor]:
    """Images (N, S, S, C) for the classifier: grey thrice, of more than three channels the first three."""
    colours = images[..., [0, 0, 0]] if images.shape[3] < 3 else images[..., :3]
    pixels = torch.from_numpy(np.ascontiguousarray(colours)).permute(0, 3, 1, 2)
    return [from_uint8(pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH)]


def features_of(classifier: Classifier, images: Images) -> Tensor:
    """float64 (N, 192) of uint8 images (N, S, S, C)."""
    with torch.inference_mode():
        return torch.cat([classifier.features(part) for part in _batches(images)]).double()


class Gaussian(NamedTuple):
    """Mean (D,) and covariance (D, D), float64."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Gaussian:
        return cls(features.mean(0), torch.cov(features.T))


def frechet(real: Gaussian, fake: Gaussian) -> float:
    """|m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½). Dowson and Landau (1982), equation 4.

    The trace of (S1 S2)^½ is that of (S1^½ S2 S1^½)^½, which is symmetric, so that two decompositions of symmetric
    matrices do and nothing complex arises.
    """
    root = _root(real.covariance)
    cross = torch.linalg.eigvalsh(root @ fake.covariance @ root).clamp_min(0).sqrt().sum()
    traces = real.covariance.trace() + fake.covariance.trace()
    return float((real.mean - fake.mean).square().sum() + traces - 2 * cross)


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    return root


def gap(features: Tensor) -> float:
    """Median distance of an image to the one most like it among 512, from their features (N, D)."""
    apart = torch.cdist(features[:_CROWD], features[:_CROWD]).fill_diagonal_(torch.inf)
    return float(apart.min(1).values.median())


@dataclass(frozen=True)
class Judge:
    """Scores images by their distance to `count` reals of a set.

    `floor` is the distance of reals to other reals, `floor_count` of each: half of the set if it holds less than
    twice `count`. The distance of finite samples is biased upwards by about 1 / count, so that such a floor is
    somewhat too high. `gap` is that of the reals.
    """

    classifier: Classifier
    digest: str
    reals: Gaussian
    count: int
    floor: float
    floor_count: int
    gap: float

    @classmethod
    def of(cls, images: Images, classifier: Classifier, digest: str, count: int = 5000) -> Judge:
        """Take the reals at random, always the same ones, from images (N, S, S, C)."""
        order = np.random.default_rng(0).permutation(len(images))
        count, half = min(count, len(order)), min(count, len(order) // 2)
        features = features_of(classifier, images[np.sort(order[: max(count, 2 * half)])])
        features = features[np.argsort(np.argsort(order[: len(features)]))]  # back in the order of the rng
        floor = frechet(Gaussian.of(features[:half]), Gaussian.of(features[half : 2 * half]))
        return cls(classifier, digest, Gaussian.of(features[:count]), count, floor, half, gap(features))

    def __call__(self, images: Images) -> float:
        """The distance of uint8 images (N, S, S, C); N should be `count`."""
        return frechet(self.reals, Gaussian.of(features_of(self.classifier, images)))

    def variety(self, images: Images) -> float:
        """How far apart the nearest of 512 images are, as a share of what the reals are.

        0 if they repeat a few. Their deviation would not tell: ten images over and over deviate like all reals do.
        """
        return gap(features_of(self.classifier, images[:_CROWD])) / self.gap


def check() -> None:
    """Hold the distance against closed forms and another algorithm."""
    rng = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    mean, other, deviation, wider = draw(8), draw(8), draw(8).abs() + 0.1, draw(8).abs() + 0.1
    diagonal = frechet(Gaussian(mean, deviation.square().diag()), Gaussian(other, wider.square().diag()))
    _near("diagonal Gaussians", diagonal, float((mean - other).square().sum() + (deviation - wider).square().sum()))

    turn = torch.linalg.qr(draw(8, 8)).Q
    turned = frechet(
        Gaussian(turn @ mean, turn @ deviation.square().diag() @ turn.T),
        Gaussian(turn @ other, turn @ wider.square().diag() @ turn.T),
    )
    _near("the same, turned", turned, diagonal)

    a, b = (Gaussian(torch.zeros(2, dtype=torch.float64), m @ m.T) for m in (draw(2, 2), draw(2, 2)))
    product = a.covariance @ b.covariance  # of a 2×2 matrix tr √M = √(tr M + 2 √det M)
    cross = float((product.trace() + 2 * product.det().sqrt()).sqrt())
    traces = float(a.covariance.trace() + b.covariance.trace())
    _near("2×2 that do not commute", frechet(a, b), traces - 2 * cross)
    _near("the same, exchanged", frechet(b, a), frechet(a, b))

    c, d = (Gaussian.of(draw(40, 8) @ draw(8, 8) + draw(8)) for _ in range(2))
    roots = torch.linalg.eigvals(c.covariance @ d.covariance).real.sqrt().sum()
    expected = (c.mean - d.mean).square().sum() + c.covariance.trace() + d.covariance.trace() - 2 * roots
    _near("8×8, by the eigenvalues of the plain product", frechet(c, d), float(expected))
    few = Gaussian.of(draw(5, 8))  # of rank 4 only
    _near("a set and itself", frechet(few, few), 0.0)
    _near("a set and itself, moved by 3 in one place", frechet(c, Gaussian(c.mean + 3 * torch.eye(8)[0], c[1])), 9.0)
    square = torch.tensor([[0.0, 0.0], [0.0, 3.0], [4.0, 0.0], [4.0, 3.0]])
    _near("the nearest of a rectangle's corners", gap(square), 3.0)
    numbers = draw(30, 4)
    _near("covariance as NumPy's", float((Gaussian.of(numbers)[1] - torch.from_numpy(np.cov(numbers.T))).norm()), 0.0)


def _near(what: str, found: float, expected: float) -> None:
    print(f"{what}: {found:.10f}, expected {expected:.10f}")
    if not abs(found - expected) <= 1e-6 * max(1.0, abs(expected)):
        raise SystemExit(f"wrong: {what}")


def damages(images: Images) -> dict[str, Images]:
    """Reals with less and less left of them, uint8 (N, S, S, C) as they came."""
    size, rng = images.shape[1], np.random.default_rng(1)
    pixels = from_uint8(torch.from_numpy(images).permute(0, 3, 1, 2))

    def blurred(factor: int) -> Images:
        small = avg_pool2d(pixels, factor)
        return to_uint8(interpolate(small, size=size, mode="bilinear")).permute(0, 2, 3, 1).numpy()

    def noisy(levels: float, pictures: Images = images) -> Images:
        return np.clip(pictures + rng.normal(0, levels, pictures.shape), 0, 255).astype(np.uint8)

    return {
        "mirrored": images[:, :, ::-1],
        "blurred 2×": blurred(2),
        "blurred 4×": blurred(4),
        "blurred 8×": blurred(8),
        "noise of 10 levels": noisy(10),
        "noise of 40 levels": noisy(40),
        "a hundred images": images[np.arange(len(images)) % 100],
        "ten images, with noise of 5 levels": noisy(5, images[np.arange(len(images)) % 10]),
        "one image": images[np.zeros(len(images), int)],
        "grey": np.repeat(images.mean(3, keepdims=True), images.shape[3], 3).astype(np.uint8),
    }


def arguments(parser: argparse.ArgumentParser) -> None:
    """What every program here asks for."""
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"), help="folder of all that is written")
    parser.add_argument("--classifier", type=Path, help="file of the classifier [OUT/classifier.safetensors]")
    parser.add_argument("--labelled", default="cifar", help="the set a missing classifier is trained on, of 32 pixels")
    parser.add_argument("--count", type=int, default=5000, help="images on each side of the distance, at most")


def make_judge(options: argparse.Namespace, dataset: Dataset, trained: Dataset | None = None) -> Judge:
    """The judge of a set, as the options of `arguments` say; by what nobody trains on if `trained` is a part of it."""
    path = options.classifier or options.out / "classifier.safetensors"
    images = dataset.images if trained in (None, dataset) else unseen_by(trained, dataset)
    return Judge.of(images, *load_classifier(path, options.labelled, options.out / "data"), options.count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="prove the arithmetic and leave")
    parser.add_argument("--data", default="cifar", help=f"{', '.join(SETS)}, or a path")
    parser.add_argument("--size", type=int, default=32)
    arguments(parser)
    options = parser.parse_args()
    if options.check:
        check()
        return
    dataset = open_set(options.data, options.size, options.out / "data")
    options.count = min(options.count, len(dataset) // 2)  # what is damaged is none of the reals it is judged by
    judge = make_judge(options, dataset)
    print(f"{len(dataset):,} images, floor {judge.floor:.3f} ({judge.floor_count:,} against as many)\n")
    print("| reals, damaged | distance | variety |\n|---|---|---|")
    rest = np.sort(np.random.default_rng(0).permutation(len(dataset))[-judge.count :])
    for name, images in damages(dataset.images[rest]).items():
        print(f"| {name} | {judge(images):.3f} | {judge.variety(images):.2f} |")


if __name__ == "__main__":
    main()
