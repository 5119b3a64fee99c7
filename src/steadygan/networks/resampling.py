"""Ways to double and to halve the side of a feature map, as values.

Upsampling: `layer(...)` is (N, inside, small, small) -> (N, outside, large, large); downsampling the way back.
Sides are those of `dcgan.sides_of`: `large` is 2 `small` or, where it is odd, 2 `small` + 1.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import nn

from steadygan.config import BY_NAME
from steadygan.ops.layers import NearestConv2d, ResidualDown, SubpixelConv2d, padding_of
from steadygan.part import Part

__all__ = ["AveragePool", "Bilinear", "MaxPool", "Nearest", "PixelShuffle", "Residual", "Strided", "Transposed"]


def same(inside: int, outside: int, kernel: int, bias: bool) -> nn.Conv2d:
    """A convolution that keeps the side; `kernel` is odd."""
    return nn.Conv2d(inside, outside, kernel, padding=kernel // 2, bias=bias)


class Transposed(Part):
    """A transposed convolution of stride 2. Radford et al. (2016), section 3."""

    paper: ClassVar[str] = "arXiv:1511.06434"
    helps: ClassVar[str] = "Learns its own interpolation, and computes nothing at the larger side but its output."
    hurts: ClassVar[str] = "Leaves checkerboards, above all with a kernel that 2 does not divide."

    kind: Literal["transposed"] = "transposed"
    kernel: Literal[3, 4, 5] = 4

    def layer(self, inside: int, outside: int, small: int, large: int, bias: bool) -> nn.Module:
        padding, output_padding = padding_of(self.kernel, small, large)
        return nn.ConvTranspose2d(inside, outside, self.kernel, 2, padding, output_padding, bias=bias)


class _Resized(Part):
    """Base of resizing followed by a convolution."""

    mode: ClassVar[str]
    kernel: Literal[3, 5] = 3

    def layer(self, inside: int, outside: int, small: int, large: int, bias: bool) -> nn.Module:
        return nn.Sequential(nn.Upsample(size=(large, large), mode=self.mode), same(inside, outside, self.kernel, bias))


class Nearest(_Resized):
    """Each pixel becomes four, then a convolution. Odena et al. (2016)."""

    paper: ClassVar[str] = "doi:10.23915/distill.00003"
    helps: ClassVar[str] = "No checkerboards: every output pixel is covered by the kernel alike."
    hurts: ClassVar[str] = "With kernel 5, or to odd sides, several times the work of a transposed convolution."

    mode: ClassVar[str] = "nearest"
    kind: Literal["nearest"] = "nearest"

    def layer(self, inside: int, outside: int, small: int, large: int, bias: bool) -> nn.Module:
        if self.kernel == 3 and large == 2 * small and small >= 8:  # below, adding up the weights costs more
            return NearestConv2d(inside, outside, self.kernel, padding=1, bias=bias)
        return super().layer(inside, outside, small, large, bias)


class Bilinear(_Resized):
    """Bilinear interpolation between pixel centres, then a convolution. Odena et al. (2016)."""

    paper: ClassVar[str] = "doi:10.23915/distill.00003"
    helps: ClassVar[str] = "No checkerboards and no blocks: the smoothest start of all."
    hurts: ClassVar[str] = "The work of nearest and the interpolation besides; fine texture comes late."

    mode: ClassVar[str] = "bilinear"
    kind: Literal["bilinear"] = "bilinear"


class PixelShuffle(Part):
    """A convolution at the smaller side, whose channels become 2×2 pixels. Shi et al. (2016), section 2.2.

    It starts as nearest upsampling behind a convolution: Aitken et al. (2017), arXiv:1707.02937. Where a side is odd
    the last row and column are repeated.
    """

    paper: ClassVar[str] = "arXiv:1609.05158"
    helps: ClassVar[str] = "A kernel of its own for each of the four pixels, without checkerboards at the start."
    hurts: ClassVar[str] = "Four times the weights of a convolution, and nothing keeps it from learning checkerboards."

    kind: Literal["pixel_shuffle"] = "pixel_shuffle"
    kernel: Literal[3, 5] = 3

    def layer(self, inside: int, outside: int, small: int, large: int, bias: bool) -> nn.Module:
        convolution = SubpixelConv2d(inside, 4 * outside, self.kernel, padding=self.kernel // 2, bias=bias)
        edge = [nn.ReplicationPad2d((0, 1, 0, 1))] if large > 2 * small else []
        return nn.Sequential(convolution, nn.PixelShuffle(2), *edge)


AnyUpsampling = Annotated[Transposed | Nearest | Bilinear | PixelShuffle, Field(discriminator="kind"), BY_NAME]


class Strided(Part):
    """A convolution of stride 2. Springenberg et al. (2015), section 2; Radford et al. (2016), section 3."""

    paper: ClassVar[str] = "arXiv:1412.6806"
    helps: ClassVar[str] = "A quarter of the work of a convolution followed by pooling, and it learns what to keep."
    hurts: ClassVar[str] = "Looks at pixels unevenly, so that gradients to the generator carry a checkerboard."

    kind: Literal["strided"] = "strided"
    kernel: Literal[3, 4, 5] = 4

    def layer(self, inside: int, outside: int, large: int, small: int, bias: bool) -> nn.Conv2d:
        return nn.Conv2d(inside, outside, self.kernel, 2, padding_of(self.kernel, small, large)[0], bias=bias)


class Residual(Part):
    """A strided convolution beside the mean of 2×2 pixels and a 1×1 convolution, added and divided by √2.

    Nothing bends between the two, so they are computed as one convolution; learned they are as two.

    He et al. (2016), equation 2; in a discriminator Karras et al. (2020), arXiv:1912.04958, section 4.1.
    """

    paper: ClassVar[str] = "arXiv:1512.03385"
    helps: ClassVar[str] = "Gradients reach the first layers and the image by a short way: both players learn sooner."
    hurts: ClassVar[str] = "Makes nothing that the strided convolution could not make alone; no help at 32 pixels."

    kind: Literal["residual"] = "residual"
    kernel: Literal[3, 4, 5] = 4

    def layer(self, inside: int, outside: int, large: int, small: int, bias: bool) -> nn.Module:
        return ResidualDown(Strided(kernel=self.kernel).layer(inside, outside, large, small, bias), inside, outside)


class AveragePool(Part):
    """A convolution, then the mean of each 2×2 pixels. Karras et al. (2018), appendix A.1."""

    paper: ClassVar[str] = "arXiv:1710.10196"
    helps: ClassVar[str] = "Even gradients to all pixels, hence no checkerboards from the discriminator's side."
    hurts: ClassVar[str] = (
        "More than twice the work of a strided convolution of kernel 4, and memory at the larger side."
    )

    kind: Literal["average_pool"] = "average_pool"
    kernel: Literal[3, 5] = 3

    def layer(self, inside: int, outside: int, large: int, small: int, bias: bool) -> nn.Module:
        return nn.Sequential(same(inside, outside, self.kernel, bias), nn.AvgPool2d(2))


class MaxPool(Part):
    """A convolution, then the largest of each 2×2 pixels. Goodfellow et al. (2016), section 9.3."""

    paper: ClassVar[str] = "isbn:9780262035613"
    helps: ClassVar[str] = "Keeps what is strongest, as classifiers do; here mostly for comparison."
    hurts: ClassVar[str] = (
        "Three of four pixels get no gradient, which the generator feels: DCGAN's authors drop pooling."
    )

    kind: Literal["max_pool"] = "max_pool"
    kernel: Literal[3, 5] = 3

    def layer(self, inside: int, outside: int, large: int, small: int, bias: bool) -> nn.Module:
        return nn.Sequential(same(inside, outside, self.kernel, bias), nn.MaxPool2d(2))


AnyDownsampling = Annotated[Strided | Residual | AveragePool | MaxPool, Field(discriminator="kind"), BY_NAME]
