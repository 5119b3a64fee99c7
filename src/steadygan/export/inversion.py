"""Inversion: the latents whose pictures are nearest to given ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from steadygan.export.model import TrainedGenerator
from steadygan.features.base import SMALLEST
from steadygan.features.scattering import ScatteringNetwork
from steadygan.networks.latents import Latent, Latents
from steadygan.ops.images import from_uint8
from steadygan.ops.pyramid import pyramid
from steadygan.part import Value
from steadygan.training.seeds import derive, fixed_latents

__all__ = ["Inversion"]

_COARSE = 32  # pixels of a side at which candidates are compared
_OF_A_CLASS = 8  # candidates at least
_RISE, _FALL, _CALM = 0.05, 0.75, 0.5  # shares of the steps: of rate up, of rate down, until there is no noise
_LEFT = ((0.15, 1.0), (0.35, 0.5), (0.6, 0.25), (1.0, 0.0))
"""Of so many starts this share is left until this share of the steps; at least one."""
_FEATURES = 0.8  # share of the steps after which features count: they take three times as long as all else
_SHELL = 3 / math.sqrt(2)  # the length of a normal vector deviates by 1/√2 from about √dim, whatever dim
_POLISHED = 64  # pixels of a side of the largest pictures in the last steps, which hold one for each latent number
_NEAR = 1e-2  # of a latent number, to see what it does
_DAMPING, _LEAST_GAIN = (0.1, 1.0, 10.0, 100.0), 1e-3


class Inversion(Value):
    """How the latent of a picture is looked for: Zhu et al. (2016), section 3.1; Creswell and Bharath (2018).

    Of `candidates` random latents, all classes in turn, the `starts` with the nearest pictures go on, the best of each
    class first, and with them their mean. `steps` of Adam follow, at a `rate` that rises at first and falls at the end,
    with normal `noise` on the latents that fades out in the first half, as Karras et al. (2020), appendix D, have them.
    After 15, 35 and 60 % of the steps the worse of what is left goes, at last all but one. That is led into its minimum
    by at most `polish` steps of Marquardt (1963), equations 9 to 15, which need second derivatives no more than Adam.

    The distance is the mean squared difference of pixels in -1..1, summed over the scales of a pyramid from 2×2
    averages; in the last fifth of the steps also that of `Scattering` features, times `features`, in place of a learned
    perceptual distance; 0 is off.
    Normal latents keep a length that 99.7 % of those drawn have, uniform ones stay in -1..1.
    """

    steps: int = Field(default=300, ge=1)
    starts: int = Field(default=16, ge=1)
    candidates: int = Field(default=512, ge=1)
    rate: float = Field(default=0.3, gt=0)
    noise: float = Field(default=0.05, ge=0)
    features: float = Field(default=0.1, ge=0)
    polish: int = Field(default=20, ge=0)


class Candidates(NamedTuple):
    """Random latents (M, dim), labels (M,) of them if there are classes, and their pictures reduced (M, C, s, s)."""

    latents: Tensor
    given: tuple[Tensor, ...]
    coarse: Tensor


def draw(model: TrainedGenerator, how: Inversion, seed: int, label: int | str | None) -> Candidates:
    """The candidates of a seed, on the generator's device."""
    device = next(model.generator.parameters()).device
    numbers = range(max(how.candidates, how.starts, _OF_A_CLASS * model.classes))
    latents = fixed_latents(numbers, model.latent, seed, "project").to(device)
    given = tuple(labels.to(device) for labels in model.labels(numbers, label))
    with torch.no_grad():
        parts = zip(*(inputs.split(model.batch) for inputs in (latents, *given)), strict=True)
        return Candidates(latents, given, torch.cat([_coarse(model(*part)) for part in parts]))


def invert_one(
    model: TrainedGenerator,
    photo: Tensor,
    candidates: Candidates,
    how: Inversion,
    seed: int = 0,
    stepped: Callable[[], None] = lambda: None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The latent (dim,) found for a picture uint8 (C, S, S), and its label () if there are classes.

    It follows from the picture, the candidates and the seed alone. `stepped` is called after each step.
    """
    target = from_uint8(photo.to(candidates.latents.device))[None]
    latents, given = _starts(candidates, _coarse(target), model.latent, how.starts)
    closeness = _Closeness(target, how.features)
    rng = torch.Generator().manual_seed(derive(seed, "project", "noise"))
    losses, done = torch.zeros(len(latents), device=latents.device), 0
    for end, share in _LEFT:
        most = max(1, round(share * how.starts)) if done else len(losses)  # few steps may leave none for a stage
        kept = losses.argsort()[:most]
        latents, given = latents.detach()[kept].clone().requires_grad_(), tuple(labels[kept] for labels in given)
        losses = losses[kept]
        adam = torch.optim.Adam([latents], betas=(0.9, 0.99))
        while done < round(end * how.steps):
            adam.param_groups[0]["lr"] = how.rate * _pace((done + 1) / how.steps)
            spread = how.noise * max(0.0, 1 - done / (_CALM * how.steps)) ** 2
            moved = latents + spread * torch.randn(latents.shape, generator=rng).to(latents.device)
            differences = closeness(model(moved, *given), with_features=done >= _FEATURES * how.steps)
            (latents.grad,) = torch.autograd.grad(differences.sum(), latents)
            adam.step()
            with torch.no_grad():
                latents.copy_(_PLAUSIBLE[model.latent.kind](latents))
            losses, done = differences.detach(), done + 1
            stepped()
    best = _polished(model, latents.detach()[:1], given, closeness, how.polish)
    return best[0].cpu(), tuple(labels[0].cpu() for labels in given)


@torch.no_grad()
def _polished(
    model: TrainedGenerator, start: Tensor, given: tuple[Tensor, ...], closeness: _Closeness, steps: int
) -> Tensor:
    """A latent (1, dim) in the minimum next to `start`; `start` itself if that, with features, is no nearer."""

    def pictures(latents: Tensor) -> Iterator[Tensor]:
        labels = [given_one.expand(len(latents)) for given_one in given]
        return (
            model(*part) for part in zip(*(inputs.split(model.batch) for inputs in (latents, *labels)), strict=True)
        )

    def residuals(latents: Tensor) -> Tensor:
        return torch.cat([closeness.residuals(images, _POLISHED) for images in pictures(latents)])

    latent, (residual,), damping = start, residuals(start), 1.0
    near = _NEAR * torch.eye(start.shape[1], device=start.device)
    for _ in range(steps):
        slopes = (residuals(latent + near) - residual) / _NEAR
        products = slopes @ slopes.T
        scale = products.diagonal().mean() * torch.eye(len(products), device=products.device)
        damped = torch.stack([products + damping * factor * scale for factor in _DAMPING])
        tried = _PLAUSIBLE[model.latent.kind](
            latent - torch.linalg.solve(damped, (slopes @ residual).expand(len(damped), -1))
        )
        remaining = residuals(tried)
        at = int(remaining.square().sum(1).argmin())
        gain = 1 - float(remaining[at].square().sum() / residual.square().sum())
        if gain > 0:
            latent, residual = tried[at : at + 1], remaining[at]
        damping *= _DAMPING[at] if gain > 0 else _DAMPING[-1]
        if gain < _LEAST_GAIN:
            break
    before, after = (float(closeness(model(it, *given), with_features=True)) for it in (start, latent))
    return latent if after < before else start


class _Closeness:
    """Squared distances (N,) of images (N, C, S, S) in -1..1 to the one image `target` (1, C, S, S)."""

    def __init__(self, target: Tensor, weight: float) -> None:
        self.weight = weight
        self.levels = pyramid(target, SMALLEST)
        self.scattering = ScatteringNetwork().to(target.device)
        self.features = self._describe(target)

    def __call__(self, images: Tensor, with_features: bool) -> Tensor:
        total = self.residuals(images).square().sum(1)
        if with_features and self.weight:
            total = total + self.weight * (self._describe(images) - self.features).square().mean(1)
        return total

    def residuals(self, images: Tensor, largest: int | None = None) -> Tensor:
        """What the squares of which are the distance without features (N, R), of scales up to `largest` pixels."""
        pairs = zip(pyramid(images, SMALLEST), self.levels, strict=True)
        apart = [
            (level - wanted).flatten(1) / math.sqrt(wanted.numel())
            for level, wanted in pairs
            if not largest or wanted.shape[-1] <= largest
        ]
        return torch.cat(apart, 1)

    def _describe(self, images: Tensor) -> Tensor:
        return self.scattering((images.expand(-1, 3, -1, -1) + 1) * 127.5).features


def _pace(share: float) -> float:
    """The rate after this share of the steps, as a share of the highest."""
    return min(1.0, share / _RISE) * (0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - share) / _FALL)))


def _coarse(images: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(images, min(images.shape[-1], _COARSE))


def _starts(found: Candidates, wanted: Tensor, latent: Latents, count: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The nearest candidates, the best of each class before all others, and in place of the last one their mean."""
    order = (found.coarse - wanted).square().mean((1, 2, 3)).argsort().tolist()
    labels = found.given[0].tolist() if found.given else [0] * len(order)
    firsts = list({labels[at]: at for at in reversed(order)}.values())
    leading = sorted(firsts, key=order.index)
    chosen = [*leading, *(at for at in order if at not in leading)][:count]
    latents = found.latents[chosen]
    if count > 2:
        latents[-1] = _PLAUSIBLE[latent.kind](latents[:-1].mean(0, keepdim=True))[0]
        chosen[-1] = chosen[0]
    return latents, tuple(labels[chosen] for labels in found.given)


def _on_shell(latents: Tensor) -> Tensor:
    middle, lengths = math.sqrt(latents.shape[1]), latents.norm(dim=1, keepdim=True)
    return latents * (lengths.clamp(max(0.0, middle - _SHELL), middle + _SHELL) / lengths.clamp(min=1e-12))


_PLAUSIBLE: dict[Latent, Callable[[Tensor], Tensor]] = {
    "normal": _on_shell,
    "uniform": lambda latents: latents.clamp(-1, 1),
}
"""What brings latents back to where the generator was trained on them."""
