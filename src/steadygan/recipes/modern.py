"""What we would use ourselves, and the recipe it is made of."""

from __future__ import annotations

from steadygan.augment import ADA, AsIs, DiffAugment
from steadygan.networks import DCGAN, R3GAN, Points
from steadygan.networks.norms import BatchNorm, NoNorm
from steadygan.networks.resampling import Nearest, Residual, Strided
from steadygan.objectives import R1, R2, Relativistic
from steadygan.recipes.facts import Facts
from steadygan.schedule import Cosine, Linear
from steadygan.training.average import EMA
from steadygan.training.config import DataSettings, Optimizers, RunConfig
from steadygan.training.optim import SOAP, Adam

_FEW = 4_000
# Pixels from which `steady` has a residual discriminator that judges places, and batch 16. Four minutes on two cores of
# a Xeon, one seed, with Adam, distance and images seen: aerial at 64 pixels 40.7 after 35,000, without 45.3 after
# 51,000; CIFAR-10 at 32 pixels 18.7 after 118,000, without 16.3 after 221,000. Nothing between was measured.
_LARGE = 48
# Channels of the widest maps on a processor, to which all layers cost the same if coarse ones are as wide as a DCGAN's.
# Aerial, 64 pixels, distance in the time of 21,600 images without this limit and with a latent that only the first
# layer is told, 39.6: with the limit 33.4, with the latent told to all 30.9, with both 15.0 and 17.2 (two seeds).
# CIFAR-10, 32 pixels, in the time of 96,000 images, 15.0: with the latent told 15.0, with that and a limit of 64 14.7.
_WIDEST = 96
_PUBLISHED_IMAGES = 20_000_000
# size: gamma at the start, of which a tenth remains; augmentation and half life at the end (Huang et al. 2024)
_R3GAN = {32: (0.05, 0.55, 5_000_000), 64: (2.0, 0.3, 500_000), 256: (150.0, 0.3, 500_000)}


def r3gan(facts: Facts) -> RunConfig:
    """The modern baseline of Huang et al. (2024): residual nets without tricks, relativistic loss, R1 and R2.

    Everything follows a cosine over the first 20 million images, or over the whole run if that is shorter or bounded by
    minutes alone: learning rate 2e-4 to 5e-5, beta2 0.9 to 0.99, gamma to a tenth, average, augmentation. On CUDA the
    published widths and batch 256, on a processor a twelfth of the width and batch 32. Conditional where there are
    labels.
    Published: CIFAR-10 FID 1.96 after 250 million images (8 GPUs, 4 days), all 1,000 modes of stacked digits. Both
    players share the reals and fakes of a step here, where the authors draw new ones; the penalties are taken at what
    D sees, theirs at the image before augmentation; colours are changed as often as places, and nothing is cut out.
    Source: arXiv:2501.05441, sections 2 to 4 and appendix.
    """
    images = min(_PUBLISHED_IMAGES, facts.budget_images) if facts.budget_images else None
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

    The DCGAN's generator with nearest upsampling, at half the textbook's width and with its latent told to every layer
    (Chen et al. 2019), against its discriminator without batch norm; relativistic pairing with both zero-centred
    penalties (Huang et al. 2024, section 2, who take them at every step) every eighth step. Above 64 pixels gamma grows
    with their number, from 0.3. Images on a processor are learned with SOAP (Vyas et al. 2025), which makes as good
    pictures of half as many as Adam and takes a fifth more time, of large images at a rate that falls over the run (see
    `_soap`), by networks whose coarse maps are no wider than others (see `_WIDEST`).
    Batch, and whether the discriminator has shortcuts and judges places of its inner maps besides, follow the size of
    the images, augmentation how often they come again: see `_LARGE` and `as_often_as_seen`.
    Elsewhere Adam with beta1 0 and beta2 0.99, and penalties every fourth step; CUDA gets the full width and batch 64,
    which nobody has measured yet.
    Source: Jolicoeur-Martineau (2019), arXiv:1807.00734; Mescheder et al. (2018), arXiv:1801.04406;
    Huang et al. (2024), arXiv:2501.05441; Odena et al. (2016), doi:10.23915/distill.00003;
    Isola et al. (2017), arXiv:1611.07004; Chen et al. (2019), arXiv:1810.01365; Karras et al. (2020), arXiv:1912.04958;
    Vyas et al. (2025), arXiv:2409.11321.
    """
    gpu, large = facts.device == "cuda", facts.size >= _LARGE
    measured = facts.device == "cpu" and not facts.points
    every = 8 if measured else 4
    adam = Adam(lr=1e-3 if large and not gpu else 5e-4, beta1=0.0, beta2=0.99)
    optimizer = _soap(large) if measured else adam
    networks = DCGAN(
        width=64 if gpu else 32,
        max_width=_WIDEST if measured else 512,
        upsampling=Nearest(),
        downsampling=Residual() if large else Strided(),
        generator_norm=BatchNorm(affine=False),
        discriminator_norm=NoNorm(),
        patches=2 if large else 0,
        self_modulation=32,
    )
    gamma = round(0.3 * max(1.0, facts.size / 64) ** 2, 3)
    return RunConfig(
        recipe="steady",
        batch=64 if gpu else 16 if large else 32,
        networks=Points() if facts.points else networks,
        loss=Relativistic(),
        penalties=(R1(gamma=gamma, every=every), R2(gamma=gamma, every=every)),
        show=as_often_as_seen(facts),
        optimizer=Optimizers(generator=optimizer, discriminator=optimizer),
    )


def _soap(large: bool) -> SOAP:
    """SOAP at 1e-3, from which the rate for large images falls over the whole run, on a cosine to 1e-4.

    Distances, seed by seed. After 57,600 aerial images of 64 pixels: 15.9, 19.9, 16.2 at a rate that stays, with which
    28,800 reached 15.6, 17.9; falling 9.5, 16.9, 11.5; to 1e-5 10.2, from 2e-3 12.4. After 178,816 of CIFAR-10, 32
    pixels: 10.9, 10.6, 10.1, 9.9 at a rate that stays; falling 11.3, from 2e-3 9.0, 11.6, 10.4, from 3e-3 12.8. With
    earlier nets, a rate that stays and as many images, Adam had 1.6 times the distance of SOAP.
    """
    return SOAP(lr=Cosine(start=1e-3, end=1e-4) if large else 1e-3)


def as_often_as_seen(facts: Facts) -> DiffAugment | AsIs:
    """DiffAugment whose probability grows with how often each image has been seen: 0.8 after 40 times.

    A discriminator learns images by heart when they come again and again, be they 300 or 3,000; before that
    augmentation only makes the game harder. It costs a twelfth of the speed, so it ends at 4,000 images: at
    64 pixels two cores need some twenty minutes to show so many 40 times. Neither number was fitted to any set. 0.8 as
    beyond it augmentation may leak (Karras et al. 2020, arXiv:2006.06676, section 2.2).
    """
    if facts.points or facts.images >= _FEW:
        return AsIs()
    return DiffAugment(probability=Linear(start=0.0, end=0.8, images=40 * facts.images))
