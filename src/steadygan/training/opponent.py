"""The discriminator that the generator plays against: the `opponent` seam."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call

from steadygan.objectives.losses import Loss
from steadygan.objectives.view import View
from steadygan.part import Part
from steadygan.schedule import Positive, at

__all__ = ["Itself", "Unrolled"]


class Itself(Part):
    """The generator plays against the discriminator as it stands: the off value of `opponent`."""

    off: ClassVar[bool] = True
    kind: Literal["itself"] = "itself"

    @contextmanager
    def against(self, loss: Loss, view: View) -> Iterator[View]:
        yield view


class Unrolled(Part):
    """The generator plays against the discriminator `steps` updates ahead. Metz et al. (2017), equations 7 to 10.

    Each inner update is gradient descent with rate `lr` on the discriminator's loss, for the same reals and fakes. The
    generator's gradient goes through the updates too, as in equation 10 (`through=False` leaves that term out, which
    is cheaper). The discriminator itself is not touched: the updates are made on copies of its weights and buffers.
    Penalties do not take part in the inner updates. `lr` is that of plain gradient descent: to go as far as Adam does
    it must be some ten to twenty times Adam's rate.
    """

    paper: ClassVar[str] = "arXiv:1611.02163"
    helps: ClassVar[str] = "Mode collapse: the generator sees that gathering on one mode would be answered."
    hurts: ClassVar[str] = "Each inner step costs a turn of the discriminator and the memory to differentiate it."

    kind: Literal["unrolled"] = "unrolled"
    steps: int = Field(default=5, ge=1)
    lr: Positive = 5e-3
    through: bool = True

    @contextmanager
    def against(self, loss: Loss, view: View) -> Iterator[View]:
        network: Any = view.discriminator
        weights = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
        buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
        rate = at(self.lr, view.images)
        for _ in range(self.steps):
            fake = view.fake if self.through else view.fake.detach()
            ahead = replace(view, fake=fake, discriminator=_with(network, weights, buffers))
            slopes = torch.autograd.grad(loss.d_loss(ahead), list(weights.values()), create_graph=self.through)
            weights = {name: w - rate * slope for (name, w), slope in zip(weights.items(), slopes, strict=True)}
        yield replace(view, discriminator=_with(network, weights, buffers))


def _with(network: nn.Module, weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Callable[..., Any]:
    """The network with other weights and buffers."""

    def call(*images: Tensor, **options: Any) -> Any:
        return functional_call(network, {**weights, **buffers}, images, options)

    return call


AnyOpponent = Annotated[Itself | Unrolled, Field(discriminator="kind")]
