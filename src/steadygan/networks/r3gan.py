"""The pair of R3GAN: residual networks without normalisation, styles or other tricks, the same on both sides.

Huang et al. (2024), arXiv:2501.05441, section 3. Each network is one list of stages, one per side, and a block of
the generator is a block of the discriminator.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from steadygan.networks.base import NetworkSettings, Pair, refusals
from steadygan.networks.dcgan import doubled, sides_of
from steadygan.ops.conditional import Projection
from steadygan.ops.resample import downsample2, upsample2
from steadygan.spec import ImageSpec

SLOPE = 0.2


class BlockForm(NamedTuple):
    """The residual blocks of both networks: how many for each side, and how they are made within."""

    per_side: int = 2
    group_width: int = 16
    expansion: int = 2

    def groups(self, width: int) -> int:
        """Groups of the inner convolution of a block `width` wide."""
        within = width * self.expansion
        return within // self.group_width if 0 < self.group_width < within else 1


PUBLISHED = BlockForm()


class Block(nn.Module):
    """maps + a 1×1, a grouped 3×3 and a 1×1 convolution with leaky ReLU between: (N, width, H, W) -> the same.

    The last convolution starts at 0, so a block starts as the identity. The other two are drawn as He et al. (2015)
    times total^(-1/4), with `total` blocks in the network: Zhang et al. (2019), section 3, for branches of three.
    """

    def __init__(self, width: int, form: BlockForm, total: int) -> None:
        super().__init__()
        within = width * form.expansion
        gain = nn.init.calculate_gain("leaky_relu", SLOPE) * total**-0.25
        self.layers = nn.Sequential(
            _normal_conv(width, within, gain=gain, bias=True),
            nn.LeakyReLU(SLOPE),
            _normal_conv(within, within, 3, gain=gain, groups=form.groups(width), bias=True),
            nn.LeakyReLU(SLOPE),
            _normal_conv(within, width, gain=0),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.layers(maps)


class Basis(nn.Module):
    """A learned map for each channel, scaled by a dense layer: (N, inside) -> (N, width, side, side)."""

    def __init__(self, inside: int, width: int, side: int) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(width, side, side))
        self.scale = _normal_linear(inside, width)

    def forward(self, latent: Tensor) -> Tensor:
        return self.scale(latent)[:, :, None, None] * self.maps


class Up(nn.Module):
    """`upsample2` as a layer."""

    def forward(self, maps: Tensor) -> Tensor:
        return upsample2(maps)


class Down(nn.Module):
    """`downsample2` as a layer."""

    def forward(self, maps: Tensor) -> Tensor:
        return downsample2(maps)


class Float32(nn.Sequential):
    """Layers that stay in float32 under autocast: the smallest maps, where it costs nothing."""

    def forward(self, maps: Tensor) -> Tensor:
        with torch.autocast(maps.device.type, enabled=False):
            return super().forward(maps.float())


class R3GANGenerator(nn.Module):
    """A learned basis scaled by the latent, then a stage for each side: 1×1 convolution, doubling, residual blocks.

    (N, latent_dim), and labels int64 (N,) if `classes` > 0 -> (N, channels, size, size). The range is -1..1 only in so
    far as it has been learned: there is no tanh, and pictures are clipped when they become grey levels.
    """

    def __init__(self, *, widths: tuple[int, ...], side: int = 4, channels: int = 3, classes: int = 0,
                 latent_dim: int = 64, embedding_dim: int = 64, form: BlockForm = PUBLISHED) -> None:  # fmt: skip
        super().__init__()
        self.latent_dim, self.classes = latent_dim, classes
        self.embedding = nn.Embedding(classes, embedding_dim) if classes else None
        if self.embedding is not None:
            _one_hot_init_(self.embedding)
        inside = latent_dim + embedding_dim * bool(classes)
        total = form.per_side * len(widths)
        stages = []
        for rank, width in enumerate(widths):
            start = [*_change(widths[rank - 1], width), Up()] if rank else [Basis(inside, width, side)]
            stages.append(_stage(rank, len(widths))(*start, *(Block(width, form, total) for _ in range(form.per_side))))
        self.stages = nn.Sequential(*stages)
        self.to_image = _normal_conv(widths[-1], channels)

    def forward(self, latent: Tensor, *given: Tensor) -> Tensor:
        if self.embedding is not None:
            latent = torch.cat([latent, self.embedding(*given)], 1)
        return self.to_image(self.stages(latent))


class R3GANDiscriminator(nn.Module):
    """A stage for each side: residual blocks, halving, 1×1 convolution; at the end a depthwise and a dense layer.

    (N, channels, size, size), and labels int64 (N,) if `classes` > 0 -> logits (N,); with features also the last
    feature map (N, C, side, side). With labels the logit is the projection alone, without the term that knows no label.
    """

    def __init__(self, *, widths: tuple[int, ...], side: int = 4, channels: int = 3, classes: int = 0,
                 form: BlockForm = PUBLISHED) -> None:  # fmt: skip
        super().__init__()
        self.classes = classes
        total = form.per_side * len(widths)
        stages = []
        for rank, width in reversed(list(enumerate(widths))):
            blocks = [Block(width, form, total) for _ in range(form.per_side)]
            end = [Down(), *_change(width, widths[rank - 1])] if rank else []
            stages.append(_stage(rank, len(widths))(*blocks, *end))
        self.stages = nn.Sequential(_normal_conv(channels, widths[-1]), *stages)
        width = widths[0]
        self.head = Float32(
            _normal_conv(width, width, side, groups=width, padding=0),
            nn.Flatten(),
            _normal_linear(width, width if classes else 1),
        )
        self.judge = Projection(classes, width) if classes else nn.Flatten(0)
        if isinstance(self.judge, Projection):
            _one_hot_init_(self.judge.embedding, gain=1 / math.sqrt(width))

    def forward(self, images: Tensor, *given: Tensor, with_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        maps = self.stages(images)
        logits = self.judge(self.head(maps), *given)
        return (logits, maps) if with_features else logits


def _normal_conv(inside: int, outside: int, side: int = 1, *, gain: float = 1.0, groups: int = 1, bias: bool = False,
                 padding: int | None = None) -> nn.Conv2d:  # fmt: skip
    """A convolution that keeps the sides; weights N(0, gain² / inputs of one output), biases 0."""
    padding = side // 2 if padding is None else padding
    conv = nn.Conv2d(inside, outside, side, padding=padding, groups=groups, bias=bias)
    nn.init.normal_(conv.weight, 0.0, gain / math.sqrt(conv.weight[0].numel()))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _normal_linear(inside: int, outside: int) -> nn.Linear:
    dense = nn.Linear(inside, outside, bias=False)
    nn.init.normal_(dense.weight, 0.0, 1 / math.sqrt(inside))
    return dense


def _one_hot_init_(embedding: nn.Embedding, gain: float = 1.0) -> None:
    """As a dense layer on one-hot labels: N(0, gain² / classes)."""
    nn.init.normal_(embedding.weight, 0.0, gain / math.sqrt(embedding.num_embeddings))


def _change(inside: int, outside: int) -> list[nn.Module]:
    return [_normal_conv(inside, outside)] if inside != outside else []


def _stage(rank: int, count: int) -> type[nn.Sequential]:
    """What holds the stage of the side `rank` doublings above the smallest: autocast rules the four largest at most."""
    return Float32 if rank < max(1, count - 4) else nn.Sequential


class R3GAN(NetworkSettings):
    """The residual pair of R3GAN, for the relativistic loss with R1 and R2. Huang et al. (2024), arXiv:2501.05441.

    Sides are 4 to 7 times a power of two, up to 256 pixels. `width` is the number of channels at the four smallest
    sides; beyond, it halves as the side doubles. The published width is 768 (the default suits a CPU); `widths` names
    all of them, from the smallest side up, instead. `blocks` at each side; inside a block `expansion` times as many
    channels, in groups of `group_width` (0: one group, a plain convolution, which costs several times as much).
    `embedding_dim` is the length of the class vector that joins the latent; `conditional` None follows the labels of
    the data.
    """

    paper: ClassVar[str] = "arXiv:2501.05441"
    helps: ClassVar[str] = "Its authors report better scores than StyleGAN2 from far fewer parts."
    hurts: ClassVar[str] = "Has no normalisation to lean on: it needs R1 and R2 at every turn, which cost a multiple."

    kind: Literal["r3gan"] = "r3gan"
    latent_dim: int = Field(default=64, ge=1)
    width: int = Field(default=64, ge=1)
    widths: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    blocks: int = Field(default=2, ge=1)
    group_width: int = Field(default=16, ge=0)
    expansion: int = Field(default=2, ge=1)
    embedding_dim: int = Field(default=64, ge=1)
    conditional: bool | None = None

    def widths_for(self, size: int) -> tuple[int, ...]:
        """Channels at each side of images of `size` pixels, from the smallest side up."""
        if self.widths is not None:
            return self.widths
        return tuple(max(1, self.width // 2 ** max(0, rank - 3)) for rank in range(len(sides_of(size))))

    def problems(self, spec: ImageSpec) -> list[str]:
        sizes = doubled(8, 256)
        if spec.size not in sizes:
            sizes = tuple(size for size in sizes if not self._shape_problems(sides_of(size))) or sizes
        found = refusals(self.kind, spec, sizes, "8 to 256 pixels, 4 to 7 times a power of two")
        found += [] if found else self._shape_problems(sides_of(spec.size))
        if self.conditional and not spec.classes:
            found.append("networks.conditional: this data set has no labels; leave networks.conditional out")
        return found

    def _shape_problems(self, sides: list[int]) -> list[str]:
        widths = self.widths_for(sides[-1])
        if len(widths) != len(sides):
            named = ", ".join(map(str, sides))
            return [f"networks.widths: {len(widths)} widths for {len(sides)} sides ({named}); name one for each"]
        within = [width * self.expansion for width in widths]
        uneven = [inner for inner in within if 0 < self.group_width < inner and inner % self.group_width]
        why = f"channels within a block do not divide into groups of {self.group_width}"
        return [f"networks.group_width: {inner} {why}; choose networks.group_width=0" for inner in uneven[:1]]

    def build(self, spec: ImageSpec) -> Pair:
        form: dict[str, Any] = {
            "widths": self.widths_for(spec.size),
            "side": sides_of(spec.size)[0],
            "channels": spec.channels,
            "classes": 0 if self.conditional is False else spec.classes,
            "form": BlockForm(self.blocks, self.group_width, self.expansion),
        }
        generator = R3GANGenerator(**form, latent_dim=self.latent_dim, embedding_dim=self.embedding_dim)
        return Pair(generator, R3GANDiscriminator(**form))
