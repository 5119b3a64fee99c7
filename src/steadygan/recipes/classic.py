"""The textbook."""

from __future__ import annotations

from steadygan.networks import Points
from steadygan.training.average import EMA
from steadygan.training.config import Optimizers, RunConfig
from steadygan.training.optim import Adam


def dcgan() -> RunConfig:
    """The DCGAN of Radford et al. (2016), with an averaged generator.

    Strided convolutions and batch norm, non-saturating loss, Adam 2e-4 with beta1 0.5, N(0, 0.02) weights, batch 64.
    Any size from 16 to 256. Slow on a processor: at 64 pixels 12,000 images, two minutes on two cores, show no more
    than blotches; at 32 pixels and half the width 60,000 images show ground and water (swd 0.19 to 0.20).
    Source: arXiv:1511.06434, sections 3 and 4; the average after Yazici et al. (2019), arXiv:1806.04498.
    """
    return RunConfig(recipe="dcgan")


def ring() -> RunConfig:
    """The ring of Gaussians on which a collapse can be watched, after Metz et al. (2017), section 3.1.

    Two small dense networks on `builtin:ring`; a minute on one core. The non-saturating loss usually
    recovers some of the eight modes and rotates among the others.
    Source: arXiv:1611.02163, section 3.1 and appendix A.
    """
    adam = Adam(lr=1e-3)
    return RunConfig(
        recipe="ring",
        batch=256,
        networks=Points(),
        optimizer=Optimizers(generator=adam, discriminator=adam),
        ema=EMA(half_life_images=50_000),
    )
