"""Which fakes the discriminator is shown in its own turn: the `replay` seam."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from steadygan.part import Part
from steadygan.spec import ImageSpec

__all__ = ["Fresh", "History"]


class Fresh(Part):
    """The discriminator's turn uses the fakes just made: the off value of `replay`."""

    off: ClassVar[bool] = True
    kind: Literal["fresh"] = "fresh"

    def build(self, spec: ImageSpec) -> nn.Module:
        return nn.Identity()


class HistoryBuffer(nn.Module):
    """Fakes in, fakes out: now and then a batch of past ones instead. (N, C, H, W) -> (N, C, H, W).

    Keeps the first `keep` rows of every batch it is given, the oldest fall out beyond `capacity` rows. Nothing is
    generated for it, and it holds images as they came, in the same range as the reals.
    """

    images: Tensor
    stored: Tensor

    def __init__(self, spec: ImageSpec, *, capacity: int, keep: int, use: float) -> None:
        super().__init__()
        self.capacity, self.keep, self.use = capacity, keep, use
        self.register_buffer("images", torch.zeros(capacity, spec.channels, spec.size, spec.size))
        self.register_buffer("stored", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, fake: Tensor) -> Tensor:
        count, device = len(fake), fake.device
        held = self.stored.clamp(max=self.capacity)
        rows = (torch.rand(count, device=device) * held).long()
        old = (torch.rand((), device=device) < self.use) & (held >= count)
        shown = torch.where(old, self.images[rows].to(fake.dtype), fake)
        kept = min(self.keep, count)
        places = (self.stored + torch.arange(kept, device=device)) % self.capacity
        self.images[places] = fake[:kept].to(self.images.dtype)
        self.stored += kept
        return shown


class History(Part):
    """A history of past fakes for the discriminator: with probability `use` its turn is played against old ones.

    One row of each batch already generated is kept (`keep`), up to `capacity`; nothing is generated for it. From
    "Fake satellite images: 39 mistakes" (mistakes 33 to 35), whose "30 % of the time" is read as three turns of ten,
    each with old fakes only; Shrivastava et al. (2017), section 2.3, to whom the idea goes back, mix half and half
    within a batch. It is used once it holds a batch. It takes `capacity` float32 images of memory, and of every
    checkpoint.
    """

    paper: ClassVar[str] = "arXiv:1612.07828"
    helps: ClassVar[str] = "A generator that runs in circles: the discriminator remembers what it had refuted before."
    hurts: ClassVar[str] = "Part of the discriminator's attention goes to mistakes the generator no longer makes."

    kind: Literal["history"] = "history"
    use: float = Field(default=0.3, ge=0, le=1)
    keep: int = Field(default=1, ge=1)
    capacity: int = Field(default=512, ge=1)

    def build(self, spec: ImageSpec) -> nn.Module:
        return HistoryBuffer(spec, capacity=self.capacity, keep=self.keep, use=self.use)


AnyReplay = Annotated[Fresh | History, Field(discriminator="kind")]
