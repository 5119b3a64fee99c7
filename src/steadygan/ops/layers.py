"""Layers that torch lacks, the padding that fits a layer to two sides, and spectral normalisation."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, linear, pad
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import register_parametrization


def padding_of(kernel: int, small: int, large: int) -> tuple[int, int]:
    """Padding and output padding of a layer of stride 2 between two sides, `large` = 2 `small` or 2 `small` + 1.

    A convolution with this padding goes from `large` to `small`; a transposed one, with both, goes back.
    """
    extra = large - 2 * small
    output = (kernel - extra) % 2
    return (kernel - 2 + output - extra) // 2, output


class LatentConv2d(nn.ConvTranspose2d):
    """A transposed convolution of a single pixel, the latent: (N, D, 1, 1) -> (N, C, kernel, kernel).

    A class of its own so that an initialisation knows that every output is connected to that pixel alone.
    """


class SubpixelConv2d(nn.Conv2d):
    """A convolution with four channels for each channel that `nn.PixelShuffle(2)` makes of them.

    A class of its own so that an initialisation knows which four kernels belong together.
    """


class NearestConv2d(nn.Conv2d):
    """Nearest upsampling by 2 and a convolution in one: (N, inside, S, S) -> (N, outside, 2S, 2S). Kernel 3, padding 1.

    Where several of a kernel's taps meet copies of one pixel their weights are added first; what remains is a
    transposed convolution 4×4 of stride 2, the same numbers for 16 multiplications instead of 36 (as in the
    sub-pixel view of Shi et al. 2016, section 2.2, read backwards).
    """

    def summed_weight(self) -> Tensor:
        """The weights of that transposed convolution."""
        sums = 4 * avg_pool2d(pad(self.weight, (1, 1, 1, 1)), 2, 1)
        return sums.flip(-1, -2).transpose(0, 1)

    def forward(self, maps: Tensor) -> Tensor:
        return conv_transpose2d(maps, self.summed_weight(), self.bias, 2, 1)


class ResidualDown(nn.Module):
    """A convolution that halves the sides, plus the mean of 2×2 pixels through one of 1×1; by √2, as loud as either.

    (N, inside, H, W) -> (N, outside, H // 2, W // 2). The kernel meets those four pixels anyway, so their weights are
    added to its own first: the same numbers by a single convolution.
    """

    def __init__(self, down: nn.Conv2d, inside: int, outside: int) -> None:
        super().__init__()
        self.down, self.skip = down, nn.Conv2d(inside, outside, 1, bias=False)

    def summed_weight(self) -> Tensor:
        """The weights of that convolution, which has the sides and the padding of `down`."""
        high, wide = self.down.kernel_size
        top, left = (int(cut) for cut in self.down.padding)
        mean = self.skip.weight.expand(-1, -1, 2, 2) / 4
        return (self.down.weight + pad(mean, (left, wide - 2 - left, top, high - 2 - top))) * math.sqrt(0.5)

    @property
    def bias(self) -> Tensor | None:
        """Its bias, if `down` has one."""
        return None if self.down.bias is None else self.down.bias * math.sqrt(0.5)

    def forward(self, maps: Tensor) -> Tensor:
        return conv2d(maps, self.summed_weight(), self.bias, self.down.stride, self.down.padding)


class SelfModulationLayer(nn.Module):
    """Scales and shifts each channel of an image by what its latent says. Chen et al. (2019), section 2.

    maps · (1 + γ(z)) + β(z), where a dense layer, ReLU and another dense layer make γ and β of each channel: (N, width,
    H, W) and the latent (N, latent_dim, 1, 1) -> (N, width, H, W).
    """

    def __init__(self, width: int, latent_dim: int, hidden: int) -> None:
        super().__init__()
        self.told = nn.Sequential(nn.Linear(latent_dim, hidden), nn.ReLU(), nn.Linear(hidden, 2 * width))

    def forward(self, maps: Tensor, latent: Tensor) -> Tensor:
        scale, shift = self.told(latent.flatten(1))[:, :, None, None].chunk(2, dim=1)
        return maps * (1 + scale) + shift


class LatentSequential(nn.Sequential):
    """Layers that make an image of latents (N, latent_dim, 1, 1), which some of them are told besides."""

    def forward(self, latent: Tensor) -> Tensor:
        maps = latent
        for layer in self:
            maps = layer(maps, latent) if isinstance(layer, SelfModulationLayer) else layer(maps)
        return maps


class PixelNormLayer(nn.Module):
    """Each pixel's feature vector is brought to length 1 per root channel. Karras et al. (2018), section 4.2.

    a / sqrt(mean over channels of a² + 1e-8): (N, C, H, W) -> (N, C, H, W).
    """

    def forward(self, maps: Tensor) -> Tensor:
        power = maps.float().square().mean(1, keepdim=True)
        return maps * (power + 1e-8).rsqrt().to(maps.dtype)


class MinibatchDiscriminationLayer(nn.Module):
    """Appends how near each image is to the others of its batch. Salimans et al. (2016), section 3.2.

    o(x_i)_b = sum over j of exp(-||M_ib - M_jb||_1), M_i = f(x_i) T, T: features × `kernels` × `dims`.
    As in the paper's formula the sum includes the image itself, hence is 1 for a batch of one.

    (N, width, side, side) -> (N, width + kernels, side, side), each value of o filling a map.
    """

    def __init__(self, *, width: int, side: int, kernels: int = 100, dims: int = 5) -> None:
        super().__init__()
        self.kernels = kernels
        self.project = nn.Linear(width * side * side, kernels * dims, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):  # bfloat16 would round small distances away
            tensor = linear(features.flatten(1).float(), self.project.weight).unflatten(1, (self.kernels, -1))
        distances = (tensor[:, None] - tensor[None]).abs().sum(3)
        return _with_maps(features, distances.neg().exp().sum(1))


class MinibatchStddevLayer(nn.Module):
    """Appends one map: how much the images of a group differ from each other. Karras et al. (2018), section 3.

    The standard deviation of every feature over a group of `group` images, averaged over all features; None takes the
    whole batch. Neighbours in the batch form a group; the first images join the last group where the batch cannot be
    shared out evenly.

    (N, C, H, W) -> (N, C + 1, H, W).
    """

    def __init__(self, *, group: int | None = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, features: Tensor) -> Tensor:
        count = len(features)
        group = min(self.group or count, count)
        filled = torch.cat([features, features[: -count % group]]).flatten(1).float().unflatten(0, (-1, group))
        # the small number keeps the root differentiable for a group of equal images
        spread = (filled.var(1, correction=0) + 1e-8).sqrt().mean(1)
        return _with_maps(features, spread.repeat_interleave(group)[:count, None])


def _with_maps(features: Tensor, values: Tensor) -> Tensor:
    """Append values (N, K) to features (N, C, H, W) as K constant maps."""
    maps = values[:, :, None, None].expand(-1, -1, *features.shape[2:])
    return torch.cat([features, maps.to(features.dtype)], 1)


def spectrally_normalise_(network: nn.Module) -> None:
    """Divide the weight of every convolution and dense layer by its largest singular value, from now on.

    Miyato et al. (2018), section 2.1; one power iteration for each forward pass in training. To be called after the
    initialisation, from which the iteration starts. Embeddings stay as they are.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            spectrally_normalise_layer_(module)


def spectrally_normalise_layer_(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.Embedding) -> None:
    """The same for one layer, embeddings too."""
    if layer.weight.is_meta:
        rows = layer.weight.shape[1 if isinstance(layer, nn.ConvTranspose2d) else 0]
        register_parametrization(layer, "weight", _WithoutNumbers(layer.weight, rows))
    else:
        spectral_norm(layer)


class _WithoutNumbers(nn.Module):
    """The same names and shapes: to iterate on weights without numbers finds nothing, and takes torch a second."""

    def __init__(self, weight: Tensor, rows: int) -> None:
        super().__init__()
        self.register_buffer("_u", weight.new_empty(rows))
        self.register_buffer("_v", weight.new_empty(weight.numel() // rows))

    def forward(self, weight: Tensor) -> Tensor:
        return weight
