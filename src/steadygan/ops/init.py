"""Weight initialisations, each with its source."""

from __future__ import annotations

from torch import nn


def dcgan_init_(network: nn.Module, std: float = 0.02) -> None:
    """Initialise in place as Radford et al. (2016), section 4: weights N(0, 0.02), biases 0.

    Batch-norm scales are N(1, 0.02), as in the authors' code (section 4 speaks of weights only).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, std)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, std)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def he_init_(network: nn.Module, slope: float = 0.2) -> None:
    """Initialise in place as He et al. (2015), equation 15, for leaky ReLU; biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, a=slope)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
