"""What we would use ourselves, and the recipe it is made of."""

from __future__ import annotations

from steadygan.augment import ADA, AsIs, DiffAugment
from steadygan.networks import DCGAN, R3GAN, Points
from steadygan.networks.norms import NoNorm
from steadygan.networks.resampling import Nearest
from steadygan.objectives import R1, R2, Relativistic
from steadygan.recipes.facts import Facts
from steadygan.schedule import Cosine
from steadygan.training.average import EMA
from steadygan.training.config import DataSettings, Optimizers, RunConfig
from steadygan.training.optim import Adam

_FEW = 2_000
_PUBLISHED_IMAGES = 20_000_000
# size: gamma at the start, of which a tenth remains; augmentation and half life at the end (Huang et al. 2024)
_R3GAN = {32: (0.05, 0.55, 5_000_000), 64: (2.0, 0.3, 500_000), 256: (150.0, 0.3, 500_000)}


def r3gan(facts: Facts) -> RunConfig:
    """The modern baseline of Huang et al. (2024): residual nets without tricks, relativistic loss, R1 and R2.

    Everything follows a cosine over the first 20 million images, or over the whole run if that is shorter: learning
    rate 2e-4 to 5e-5, beta2 0.9 to 0.99, gamma to a tenth, average, augmentation. On CUDA the published widths and
    batch 256, on a processor a twelfth of the width and batch 32. Conditional where there are labels.
    Published: CIFAR-10 FID 1.96 after 250 million images (8 GPUs, 4 days), all 1,000 modes of stacked digits. Both
    players share the reals and fakes of a step here, where the authors draw new ones; the penalties are taken at what
    D sees, theirs at the image before augmentation; colours are changed as often as places, and nothing is cut out.
    Source: arXiv:2501.05441, sections 2 to 4 and appendix.
    """
    images = min(_PUBLISHED_IMAGES, facts.budget_images or _PUBLISHED_IMAGES)
    nearest = min(_R3GAN, key=lambda size: abs(size.bit_length() - facts.size.bit_length()))
    gamma, augment, half_life = _R3GAN[nearest]
    falling = Cosine(start=gamma, end=gamma / 10, images=images)
    adam = Adam(
        lr=Cosine(start=2e-4, end=5e-5, images=images),
        beta1=0.0,
        beta2=Cosine(start=0.9, end=0.99, images=images),
    )
    gpu = facts.device == "cuda"
    return RunConfig(
        recipe="r3gan",
        batch=256 if gpu else 32,
        data=DataSettings(mirror=not facts.points),
        networks=Points() if facts.points else R3GAN(width=768) if gpu else R3GAN(),
        loss=Relativistic(),
        penalties=(R1(gamma=falling), R2(gamma=falling)),
        show=AsIs() if facts.points else ADA(probability=Cosine(start=0.0, end=augment, images=images)),
        optimizer=Optimizers(generator=adam, discriminator=adam),
        ema=EMA(half_life_images=Cosine(start=0, end=half_life, images=images)),
    )


def steady(facts: Facts) -> RunConfig:
    """The default: a relativistic loss with R1 and R2 on convolutional networks small enough for a processor.

    The DCGAN's discriminator without batch norm and its generator with nearest upsampling, at half the textbook's
    width; relativistic pairing with both zero-centred penalties every fourth step (Huang et al. 2024, section 2, who
    take them at every step); Adam 5e-4 with beta1 0 and beta2 0.99, batch 32. Above 64 pixels gamma grows with their
    number, from 0.3; fewer than 2,000 images are augmented (Zhao et al. 2020); CUDA gets the full width and batch 64,
    which nobody has measured yet. On two processor cores four minutes show sky, ground and vague animals at 32 pixels
    (240,000 images of CIFAR-10) and meadow, sand, water and built-up ground at 64 (67,000 aerial images): less than a
    fifth of the textbook's Fréchet distance after the same time, the median of three seeds (see benchmarks/). Nearest
    upsampling alone took that from 150 to 52 on the aerial images in two minutes; gamma 1, a cosine on the learning
    rate and other widths did not help.
    Source: Jolicoeur-Martineau (2019), arXiv:1807.00734; Mescheder et al. (2018), arXiv:1801.04406;
    Huang et al. (2024), arXiv:2501.05441; Odena et al. (2016), doi:10.23915/distill.00003.
    """
    gpu = facts.device == "cuda"
    adam = Adam(lr=5e-4, beta1=0.0, beta2=0.99)
    networks = DCGAN(width=64 if gpu else 32, upsampling=Nearest(), discriminator_norm=NoNorm())
    gamma = round(0.3 * max(1.0, facts.size / 64) ** 2, 3)
    few = facts.images < _FEW and not facts.points
    return RunConfig(
        recipe="steady",
        batch=64 if gpu else 32,
        networks=Points() if facts.points else networks,
        loss=Relativistic(),
        penalties=(R1(gamma=gamma, every=4), R2(gamma=gamma, every=4)),
        show=DiffAugment() if few else AsIs(),
        optimizer=Optimizers(generator=adam, discriminator=adam),
    )
