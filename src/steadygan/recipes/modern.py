"""What we would use ourselves, and the recipe it is made of."""

from __future__ import annotations

from steadygan.augment import ADA, AsIs
from steadygan.networks import DCGAN, R3GAN, Points
from steadygan.networks.norms import NoNorm
from steadygan.objectives import R1, R2, Relativistic
from steadygan.recipes.facts import Facts
from steadygan.schedule import Cosine
from steadygan.training.average import EMA
from steadygan.training.config import DataSettings, Optimizers, RunConfig
from steadygan.training.optim import Adam

_PUBLISHED_IMAGES = 20_000_000
# size: gamma at the start, augmentation at the end (Huang et al. 2024); a tenth of gamma remains at the end
_R3GAN = {32: (0.05, 0.55), 64: (2.0, 0.3), 256: (150.0, 0.3)}
_R3GAN_WIDTHS = {32: (768,) * 4, 64: (768,) * 4 + (384,), 256: (768,) * 4 + (384, 192, 96)}


def r3gan(facts: Facts) -> RunConfig:
    """The modern baseline of Huang et al. (2024): residual nets without tricks, relativistic loss, R1 and R2.

    Everything follows a cosine over the first 20 million images, or over the whole run if that is shorter: learning
    rate 2e-4 to 5e-5, beta2 0.9 to 0.99, gamma to a tenth, average, augmentation. On CUDA the published widths and
    batch 256, on a processor a twelfth of the width and batch 32. Conditional where there are labels.
    Published: CIFAR-10 FID 1.96 after 250 million images (8 GPUs, 4 days), all 1,000 modes of stacked digits. Both
    players share the reals and fakes of a step here, where the authors draw new ones.
    Source: arXiv:2501.05441, sections 2 to 4 and appendix.
    """
    images = min(_PUBLISHED_IMAGES, facts.budget_images or _PUBLISHED_IMAGES)
    nearest = min(_R3GAN, key=lambda size: abs(size.bit_length() - facts.size.bit_length()))
    gamma, augment = _R3GAN[nearest]
    falling = Cosine(start=gamma, end=gamma / 10, images=images)
    adam = Adam(
        lr=Cosine(start=2e-4, end=5e-5, images=images),
        beta1=0.0,
        beta2=Cosine(start=0.9, end=0.99, images=images),
    )
    gpu = facts.device == "cuda"
    networks = R3GAN(widths=_R3GAN_WIDTHS[nearest]) if gpu and facts.size == nearest else R3GAN()
    return RunConfig(
        recipe="r3gan",
        batch=256 if gpu else 32,
        data=DataSettings(mirror=not facts.points),
        networks=Points() if facts.points else networks,
        loss=Relativistic(),
        penalties=(R1(gamma=falling), R2(gamma=falling)),
        show=AsIs() if facts.points else ADA(probability=Cosine(start=0.0, end=augment, images=images)),
        optimizer=Optimizers(generator=adam, discriminator=adam),
        ema=EMA(half_life_images=Cosine(start=0, end=500_000, images=images)),
    )


def steady(facts: Facts) -> RunConfig:
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
        networks=Points() if facts.points else DCGAN(width=32, discriminator_norm=NoNorm()),
        loss=Relativistic(),
        penalties=(R1(gamma=0.3, every=4), R2(gamma=0.3, every=4)),
        optimizer=Optimizers(generator=adam, discriminator=adam),
    )
