"""The DCGAN pair of Radford et al. (2016), for any square size from 16 to 256, with every choice open.

The discriminator halves the image until its side is 4 to 7 pixels; the generator retraces the same sides. Odd sides
lose a pixel on the way down and get it back on the way up, so no size is special.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any, ClassVar, Literal, cast

from pydantic import Field
from torch import Tensor, nn

from steadygan.networks.base import NetworkSettings, Pair, logits_of, refusals
from steadygan.networks.choices import (
    AnyActivation,
    AnyInit,
    AnyMinibatch,
    He,
    LeakyReLU,
    NoMinibatch,
    Normal,
    Players,
    ReLU,
)
from steadygan.networks.latents import Latent, Latents
from steadygan.networks.norms import AnyNorm, BatchNorm, NoNorm, VirtualBatchNorm
from steadygan.networks.resampling import AnyDownsampling, AnyUpsampling, Strided, Transposed, same
from steadygan.ops.conditional import Projection
from steadygan.ops.layers import (
    LatentConv2d,
    LatentSequential,
    SelfModulationLayer,
    spectrally_normalise_,
    spectrally_normalise_layer_,
)
from steadygan.part import Value
from steadygan.spec import ImageSpec

SIZES = range(16, 257)


def sides_of(size: int) -> list[int]:
    """Sides of the feature maps from the smallest (4 to 7 pixels) up to the image: 64 -> [4, 8, 16, 32, 64]."""
    sides = [size]
    while sides[0] >= 8:
        sides.insert(0, sides[0] // 2)
    return sides


@cache
def doubled(least: int, most: int) -> tuple[int, ...]:
    """The sizes between that are 4 to 7 times a power of two, so that every map has exactly half the side."""
    sizes = range(least, most + 1)
    return tuple(size for size in sizes if size == sides_of(size)[0] * 2 ** (len(sides_of(size)) - 1))


def widths_of(sides: list[int], width: int, max_width: int) -> list[int]:
    """Channels at each side but the image's own, the widest first: they double as the side halves."""
    return [min(width * 2**halvings, max_width) for halvings in reversed(range(len(sides) - 1))]


class _Parts(Value):
    """What both players choose. `init` None is He et al.'s for a network without norm, the DCGAN's for all others."""

    norm: AnyNorm = BatchNorm()
    init: AnyInit | None = None
    spectral_norm: bool = False
    closing_layers: int = Field(default=0, ge=0)

    def finish(self, network: nn.Module) -> None:
        """Initialise the weights, then normalise them."""
        init = self.init or (He() if isinstance(self.norm, NoNorm) else Normal())
        init(network)
        if self.spectral_norm:
            spectrally_normalise_(network)


class GeneratorParts(_Parts):
    """The choices inside a DCGAN generator; the defaults are the paper's."""

    upsampling: AnyUpsampling = Transposed()
    activation: AnyActivation = ReLU()
    latent: Latent = "normal"
    self_modulation: int = Field(default=0, ge=0)

    def block(self, width: int, latent_dim: int) -> list[nn.Module]:
        """What stands behind a convolution with `width` channels."""
        told = [SelfModulationLayer(width, latent_dim, self.self_modulation)] if self.self_modulation else []
        return [*self.norm.layers(width), *told, self.activation.layer()]


class DiscriminatorParts(_Parts):
    """The choices inside a DCGAN discriminator; the defaults are the paper's."""

    downsampling: AnyDownsampling = Strided()
    activation: AnyActivation = LeakyReLU()
    dropout: float = Field(default=0.0, ge=0, lt=1)
    minibatch: AnyMinibatch = NoMinibatch()
    patches: int = Field(default=0, ge=0)

    def block(self, width: int, normalised: bool) -> list[nn.Module]:
        """What stands behind a convolution with `width` channels."""
        layers = [*(self.norm.layers(width) if normalised else []), self.activation.layer()]
        return [*layers, nn.Dropout(self.dropout)] if self.dropout else layers


_TEXTBOOK_GENERATOR = GeneratorParts()
_TEXTBOOK_DISCRIMINATOR = DiscriminatorParts()


class DCGANGenerator(nn.Module):
    """Layers that double the side, each with norm and activation; tanh at the end. Radford et al. (2016), section 3.

    (N, latent_dim), and labels int64 (N,) if `classes` > 0 -> (N, channels, size, size) in -1..1. By default as
    figure 1: transposed convolutions 4×4, batch norm, ReLU. With classes all that is told the latent is told the sum of
    it and a vector learned for the class.
    """

    def __init__(self, *, latent_dim: int = 100, size: int = 64, channels: int = 3, width: int = 64,
                 max_width: int = 512, classes: int = 0, parts: GeneratorParts = _TEXTBOOK_GENERATOR,
                 ) -> None:  # fmt: skip
        super().__init__()
        self.latent_dim, self.classes = latent_dim, classes
        self.embedding = nn.Embedding(classes, latent_dim) if classes else None
        sides = sides_of(size)
        widths = widths_of(sides, width, max_width)
        closing = [max(1, width // 2)] * parts.closing_layers + [channels]
        bias = not parts.norm.centres

        layers: list[nn.Module] = [LatentConv2d(latent_dim, widths[0], sides[0], bias=bias)]
        for (inside, outside), (small, large) in zip(pairwise([*widths, closing[0]]), pairwise(sides), strict=True):
            layers += [*parts.block(inside, latent_dim), parts.upsampling.layer(inside, outside, small, large, bias)]
        for inside, outside in pairwise(closing):
            layers += [*parts.block(inside, latent_dim), same(inside, outside, 3, bias)]
        self.layers = parts.norm.generating(LatentSequential(*layers, nn.Tanh()), Latents(latent_dim, parts.latent))
        parts.finish(self)

    def forward(self, latent: Tensor, *given: Tensor) -> Tensor:
        if self.embedding is not None:
            latent = latent + self.embedding(*given)
        return self.layers(latent[:, :, None, None])


class DCGANDiscriminator(nn.Module):
    """Layers that halve the side, each but the first with norm, and activation. Radford et al. (2016), section 3.

    (N, channels, size, size), and labels int64 (N,) if `classes` > 0 -> logits (N,); with features also the last
    feature map (N, C, side, side), as it is before `minibatch`. By default strided convolutions 4×4, batch norm, leaky
    ReLU 0.2. To the verdict on the whole image come the mean verdicts on all places of up to `patches` of the maps
    before the last, and with classes the projection of the last map's mean (Miyato and Koyama 2018, equation 8).
    """

    def __init__(self, *, size: int = 64, channels: int = 3, width: int = 64, max_width: int = 512, classes: int = 0,
                 parts: DiscriminatorParts = _TEXTBOOK_DISCRIMINATOR) -> None:  # fmt: skip
        super().__init__()
        self.classes = classes
        sides = sides_of(size)[::-1]
        opening = [channels] + [max(1, width // 2)] * parts.closing_layers
        widths = [opening[-1], *widths_of(sides, width, max_width)[::-1]]
        bias = not parts.norm.centres

        layers: list[nn.Module] = []
        for inside, outside in pairwise(opening):
            layers += [same(inside, outside, 3, bias), *parts.block(outside, normalised=bool(layers))]
        ends = []
        for (inside, outside), (large, small) in zip(pairwise(widths), pairwise(sides), strict=True):
            layers.append(parts.downsampling.layer(inside, outside, large, small, bias))
            layers += parts.block(outside, normalised=len(layers) > 1)
            ends.append(len(layers) - 1)
        judged = list(zip(ends, widths[1:], strict=True))[-1 - parts.patches : -1]
        self.layers = parts.norm.judging(nn.Sequential(*layers), (channels, size, size))
        self.minibatch = parts.minibatch.layer(widths[-1], sides[-1])
        self.head = nn.Conv2d(widths[-1] + parts.minibatch.channels(), 1, sides[-1], bias=bias)
        self.places = [end for end, _ in judged]
        self.local_heads = nn.ModuleList(nn.Conv2d(width, 1, 1, bias=False) for _, width in judged)
        self.projection = Projection(classes, widths[-1]) if classes else None
        if self.projection is not None:
            nn.init.normal_(self.projection.embedding.weight, std=widths[-1] ** -0.5)
            if parts.spectral_norm:
                spectrally_normalise_layer_(self.projection.embedding)
        parts.finish(self)

    def forward(self, images: Tensor, *given: Tensor, with_features: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        features, local = self._through(images)
        logits = sum(local, start=logits_of(self.head(self.minibatch(features))))
        if self.projection is not None:
            logits = logits + self.projection(features.mean((2, 3)), *given)
        return (logits, features) if with_features else logits

    def _through(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The last map, and the mean verdict (N,) on the places of each judged map."""
        if not self.places:
            return self.layers(images), []
        maps, verdicts = images, list[Tensor]()
        for number, layer in enumerate(cast(nn.Sequential, self.layers)):
            maps = layer(maps)
            if number in self.places:
                verdicts.append(self.local_heads[len(verdicts)](maps).mean((1, 2, 3)))
        return maps, verdicts


class DCGAN(NetworkSettings):
    """The DCGAN pair: strided and transposed convolutions, batch norm. Radford et al. (2016), arXiv:1511.06434.

    `width` is the number of channels next to the image; it doubles as the side halves, up to `max_width`.
    None derives it from the size: 64 up to 64 pixels, 32 at 128, 16 at 256, so that the large maps stay affordable.
    `discriminator_norm` "none" is for gradient penalties, which a batch norm would couple across images.
    `generator_init` and `discriminator_init` None: He et al.'s without a norm, else the DCGAN's own.
    `dropout` is the discriminator's, behind each activation. Srivastava et al. (2014), section 4.
    `spectral_norm` holds every layer of the named players to a largest singular value of 1: Miyato et al. (2018),
    arXiv:1802.05957, section 2.1; with it the discriminator usually goes without another norm.
    `closing_layers` convolutions follow the last upsampling, at the image's own resolution, and as many precede the
    first downsampling: they can even out a checkerboard (Odena et al. 2016), at the price of the largest maps.
    With `patches` the discriminator also judges each place of so many of its inner maps, the smallest first and as far
    as there are any, and adds the means to its verdict on the whole: Isola et al. (2017), arXiv:1611.07004, section
    3.2.2, at several depths.
    With `self_modulation` the generator's latent reaches every layer, not the first alone: behind each norm a network
    with so many hidden units makes a scale and a shift for each channel. Chen et al. (2019), arXiv:1810.01365. The
    paper's norms, and those of `steady`, have none of their own (`generator_norm.affine=false`); with 0 they want them.
    `conditional` tells both networks the classes of the images: Mirza and Osindero (2014), arXiv:1411.1784; Miyato and
    Koyama (2018), arXiv:1802.05637.
    """

    paper: ClassVar[str] = "arXiv:1511.06434"
    helps: ClassVar[str] = "Small and fast, the reference most results are compared with; enough up to 128 pixels."
    hurts: ClassVar[str] = "Plain stacks without skip connections: larger and more varied images want deeper networks."

    class_parts: ClassVar[tuple[str, ...]] = ("embedding", "projection")

    kind: Literal["dcgan"] = "dcgan"
    latent_dim: int = Field(default=100, ge=1)
    width: int | None = Field(default=None, ge=1)
    max_width: int = Field(default=512, ge=1)
    upsampling: AnyUpsampling = Transposed()
    downsampling: AnyDownsampling = Strided()
    generator_norm: AnyNorm = BatchNorm()
    discriminator_norm: AnyNorm = BatchNorm()
    generator_activation: AnyActivation = ReLU()
    discriminator_activation: AnyActivation = LeakyReLU()
    generator_init: AnyInit | None = None
    discriminator_init: AnyInit | None = None
    dropout: float = Field(default=0.0, ge=0, lt=1)
    spectral_norm: Players = "none"
    minibatch: AnyMinibatch = NoMinibatch()
    closing_layers: int = Field(default=0, ge=0)
    patches: int = Field(default=0, ge=0)
    self_modulation: int = Field(default=0, ge=0)
    conditional: bool = False

    def problems(self, spec: ImageSpec) -> list[str]:
        wrong = refusals(self.kind, spec, SIZES)
        if self.patches and isinstance(self.discriminator_norm, VirtualBatchNorm):
            wrong.append("networks.patches: discriminator_norm=virtual_batch does not go with it; choose another norm")
        if self.conditional and not spec.classes:
            wrong.append("networks.conditional: this data set has no labels; choose networks.conditional=false")
        return wrong

    def generator_parts(self) -> GeneratorParts:
        """The generator's share of the choices."""
        return GeneratorParts(
            upsampling=self.upsampling,
            norm=self.generator_norm,
            activation=self.generator_activation,
            latent=self.latent,
            init=self.generator_init,
            spectral_norm=self.spectral_norm in ("generator", "both"),
            closing_layers=self.closing_layers,
            self_modulation=self.self_modulation,
        )

    def discriminator_parts(self) -> DiscriminatorParts:
        """The discriminator's share of the choices."""
        return DiscriminatorParts(
            downsampling=self.downsampling,
            norm=self.discriminator_norm,
            activation=self.discriminator_activation,
            init=self.discriminator_init,
            dropout=self.dropout,
            spectral_norm=self.spectral_norm in ("discriminator", "both"),
            minibatch=self.minibatch,
            closing_layers=self.closing_layers,
            patches=self.patches,
        )

    def build(self, spec: ImageSpec) -> Pair:
        width = self.width or max(16, min(64, 4096 // spec.size))
        form: dict[str, Any] = {"size": spec.size, "channels": spec.channels, "width": width}
        form["max_width"] = self.max_width
        form["classes"] = spec.classes if self.conditional else 0
        generator = DCGANGenerator(latent_dim=self.latent_dim, **form, parts=self.generator_parts())
        return Pair(generator, DCGANDiscriminator(**form, parts=self.discriminator_parts()))
