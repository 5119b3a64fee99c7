"""What the two players do, between two steps of their game."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from steadygan.augment import GaussianNoise, Show
from steadygan.objectives.losses import boundary_among
from steadygan.objectives.view import View
from steadygan.ops.images import to_uint8

Batch = tuple[Tensor, ...]
"""Images (N, C, S, S) in -1..1, and what the networks are told with them, such as labels (N,)."""


@dataclass(frozen=True)
class Players:
    """Two bare networks and what stands between them; they are asked `batch` images at a time, in the modes they have.

    `latents` (N, D) are the same at every moment of a run, and `given` what the generator is told with them. `loss` is
    that of their game, by which real becomes fake somewhere among the logits.
    """

    generator: nn.Module
    discriminator: nn.Module
    show: nn.Module
    view: type[View]
    loss: object
    latents: Tensor
    given: Batch
    batch: int

    def made(self, generator: Callable[..., Tensor]) -> Tensor:
        """What a generator makes of the latents, as the discriminator is given it."""
        return torch.cat([generator(*part) for part in self.parts((self.latents, *self.given))])

    def parts(self, inputs: Sequence[Tensor]) -> list[Batch]:
        """Tensors of one length, in parts as even as can be of no more than a batch of the run."""
        count = -(-len(inputs[0]) // self.batch)
        return list(zip(*(one.tensor_split(count) for one in inputs), strict=True))

    def pictures(self, made: Tensor, size: int) -> Tensor:
        """What the generator made in training as pictures uint8 (N, C, S, S), S = `size`.

        A generator whose images in training have another form is asked again, in evaluation.
        """
        if made.shape[-1] != size:
            self.generator.eval()
            made = self.made(self.generator)
        return to_uint8(made)

    def judged(self, discriminator: Callable[..., Any], real: Batch, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of reals and of as many fakes, each (N,) float32, seen as the game shows them."""
        bring: Callable[[Tensor], Tensor] = getattr(self.generator, "as_training_images", _unchanged)
        logits = []
        for images, fakes, *given in self.parts((real[0], fake[: len(real[0])], *real[1:])):
            view = self.view(discriminator, self.show(bring(images)), self.show(fakes), tuple(given))
            logits.append(torch.stack([view.real_logits.float(), view.fake_logits.float()]))
        real_logits, fake_logits = torch.cat(logits, 1)
        return real_logits, fake_logits

    def opinions(self, discriminator: Callable[..., Any], real: Batch, held_out: Batch, fake: Tensor) -> dict[str, Any]:
        """Mean logits and the shares judged rightly, of reals, of held-out ones if there are any, and of fakes."""
        real_logits, fake_logits = self.judged(discriminator, real, fake)
        sides = {"real": real_logits}
        if held_out:
            sides["held_out"] = self.judged(discriminator, held_out, fake)[0]
        found = {f"d_{name}": logits.mean() for name, logits in sides.items()}
        found["d_fake"] = fake_logits.mean()
        boundary = boundary_among(self.loss, found["d_real"], found["d_fake"])
        found |= {f"accuracy_{name}": (logits > boundary).float().mean() for name, logits in sides.items()}
        return found | {"accuracy_fake": (fake_logits < boundary).float().mean()}

    def inputs(self, real: Batch) -> Tensor:
        """Least, mean, deviation and most of the reals as the discriminator is given them: (4,)."""
        seen = torch.cat([self.show(images) for images, *_ in self.parts(real)]).float()
        return torch.stack([seen.min(), seen.mean(), seen.std(), seen.max()])

    def modes(self) -> Tensor | None:
        """Mean difference between the generator's images with batch norms in training and in evaluation.

        Both without dropout. None if nothing in it keeps statistics.
        """
        norms = [module for module in self.generator.modules() if getattr(module, "track_running_stats", False)]
        if not norms:
            return None
        self.generator.eval()
        settled = self.made(self.generator)
        for norm in norms:
            norm.train()
        return (self.made(self.generator).float() - settled.float()).abs().mean()

    @property
    def augment(self) -> Tensor | None:
        """The probability with which images are augmented; None where nothing is drawn by one."""
        noise = isinstance(self.show, GaussianNoise)
        return self.show.amount if isinstance(self.show, Show) and not noise else None


def _unchanged(images: Tensor) -> Tensor:
    return images
