"""Pairs of networks as people write them, good ones and faulty ones, without anything of the package."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - as people write it
from torch import Tensor, nn

Pair = tuple[nn.Module, nn.Module]


def weights_init(module: nn.Module, std: float = 0.02) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, std)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def stack(*, end: nn.Module | None = None, last_norm: bool = False, width: int = 16) -> nn.Sequential:
    """A DCGAN generator in a row, 32 pixels."""
    layers: list[nn.Module] = [nn.ConvTranspose2d(100, width * 4, 4, 1, 0, bias=False)]
    for inside, outside in ((4, 2), (2, 1)):
        layers += [nn.BatchNorm2d(width * inside), nn.ReLU(True)]
        layers += [nn.ConvTranspose2d(width * inside, width * outside, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(width), nn.ReLU(True), nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(3)] if last_norm else []
    return nn.Sequential(*layers, end or nn.Tanh())


def judge(
    *, first_norm: bool = False, slope: float = 0.2, end: nn.Module | None = None, width: int = 16
) -> nn.Sequential:
    """A DCGAN discriminator in a row, 32 pixels."""

    def active() -> nn.Module:
        return nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)

    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(width)] if first_norm else []
    for inside, outside in ((1, 2), (2, 4)):
        layers += [active(), nn.Conv2d(width * inside, width * outside, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(width * outside)]
    layers += [active(), nn.Conv2d(width * 4, 1, 4, 1, 0, bias=False)]
    return nn.Sequential(*layers, *([end] if end else []))


def drawn(generator: nn.Module, discriminator: nn.Module, std: float = 0.02) -> Pair:
    for network in (generator, discriminator):
        network.apply(lambda module: weights_init(module, std))
    return generator, discriminator


class FunctionalGenerator(nn.Module):
    """Layers in the constructor, functions in `forward`; 28 pixels, grey."""

    def __init__(self, z_dim: int = 64) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.fc = nn.Linear(z_dim, 128 * 7 * 7)
        self.bn1, self.bn2 = nn.BatchNorm2d(128), nn.BatchNorm2d(64)
        self.conv1, self.conv2 = nn.Conv2d(128, 64, 3, padding=1), nn.Conv2d(64, 1, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.fc(z).view(-1, 128, 7, 7)))
        x = F.relu(self.bn2(self.conv1(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.conv2(F.interpolate(x, scale_factor=2)))


class FunctionalDiscriminator(nn.Module):
    """The other half; pools as it is told."""

    def __init__(self, pool: bool = False) -> None:
        super().__init__()
        self.pool = pool
        step = 1 if pool else 2
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, step, 1), nn.Conv2d(32, 64, 3, step, 1)
        self.fc = nn.Linear(64 * 7 * 7, 1)

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.conv1, self.conv2):
            x = F.relu(F.max_pool2d(conv(x), 2)) if self.pool else F.leaky_relu(conv(x), 0.2)
        x = self.fc(x.flatten(1))
        return torch.sigmoid(x) if self.pool else x


def mnist() -> Pair:
    """Dense layers for flat pictures of 28 pixels, weights as torch leaves them, a sigmoid at D's end."""
    generator = nn.Sequential(
        *(nn.Linear(100, 256), nn.LeakyReLU(0.2), nn.Linear(256, 512), nn.LeakyReLU(0.2)),
        *(nn.Linear(512, 784), nn.Tanh()),
    )
    discriminator = nn.Sequential(
        *(nn.Linear(784, 512), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(512, 256), nn.LeakyReLU(0.2)),
        *(nn.Linear(256, 1), nn.Sigmoid()),
    )
    return generator, discriminator


class Labelled(nn.Module):
    """A conditional generator of 28 pixels: an embedding of the label beside the latent."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 16)
        self.net = FunctionalGenerator(64 + 16)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.net(torch.cat([z, self.embed(labels)], 1))


class Bare(nn.Module):
    """Weights without layers: parameters and functions alone."""

    def __init__(self) -> None:
        super().__init__()
        self.w1, self.b1 = nn.Parameter(torch.randn(64, 256) * 0.1), nn.Parameter(torch.zeros(256))
        self.w2 = nn.Parameter(torch.randn(256, 784) * 0.06)

    def forward(self, z: Tensor) -> Tensor:
        return (torch.relu(z @ self.w1 + self.b1) @ self.w2).tanh()
