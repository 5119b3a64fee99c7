"""What we would use ourselves."""

from __future__ import annotations

from steadygan.networks import DCGAN
from steadygan.objectives import R1, R2, Relativistic
from steadygan.training.config import Optimizers, RunConfig
from steadygan.training.optim import Adam


def steady() -> RunConfig:
    """The default: a relativistic loss with R1 and R2 on convolutional networks small enough for a processor.

    The DCGAN's generator and, without batch norm, its discriminator, at half the textbook's width; relativistic
    pairing with both zero-centred penalties every fourth step (Huang et al. 2024, section 2, who take them at every
    step); Adam 5e-4 with beta1 0 and beta2 0.99, batch 32. On two processor cores the built-in scenes at 32 pixels
    show land, forest and water after two minutes (125,000 images, swd 0.041); garments at 32 pixels took three minutes
    (170,000 images), faces at 64 pixels 12,500 images. Scaling gamma with the number of pixels, to 0.075 at 32, was
    worse on those scenes (swd 0.065 after 124,800 images).
    Source: Jolicoeur-Martineau (2019), arXiv:1807.00734; Mescheder et al. (2018), arXiv:1801.04406;
    Huang et al. (2024), arXiv:2501.05441.
    """
    adam = Adam(lr=5e-4, beta1=0.0, beta2=0.99)
    return RunConfig(
        recipe="steady",
        batch=32,
        networks=DCGAN(width=32, discriminator_norm="none"),
        loss=Relativistic(),
        penalties=(R1(gamma=0.3, every=4), R2(gamma=0.3, every=4)),
        optimizer=Optimizers(generator=adam, discriminator=adam),
    )
