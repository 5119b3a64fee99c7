"""The textbooks: the systems of the founding documents and of the papers behind them."""

from __future__ import annotations

from steadygan.augment import InstanceNoise
from steadygan.networks import DCGAN, MSG, SNGAN, Faces256, Points, Satellite, Upsample
from steadygan.networks.choices import LeakyReLU
from steadygan.networks.norms import NoNorm
from steadygan.objectives import L2, R1, WGANGP, Hinge, NonSaturating, Wasserstein
from steadygan.recipes.facts import Facts
from steadygan.training.average import EMA
from steadygan.training.config import Budget, CheckpointSettings, Optimizers, RunConfig
from steadygan.training.opponent import Unrolled
from steadygan.training.optim import Adam
from steadygan.training.replay import History
from steadygan.training.turns import Fixed, Moderated


def _both(adam: Adam) -> Optimizers:
    return Optimizers(generator=adam, discriminator=adam)


def dcgan(facts: Facts) -> RunConfig:
    """The DCGAN of Radford et al. (2016), with an averaged generator.

    Strided convolutions and batch norm, non-saturating loss, Adam 2e-4 with beta1 0.5, N(0, 0.02) weights, batch 64.
    Any size from 16 to 256. Slow on a processor: at 64 pixels 12,000 images, two minutes on two cores, show no more
    than blotches; at 32 pixels and half the width 60,000 images show ground and water (swd 0.19 to 0.20).
    Source: arXiv:1511.06434, sections 3 and 4; the average after Yazici et al. (2019), arXiv:1806.04498.
    """
    return RunConfig(recipe="dcgan", networks=Points() if facts.points else DCGAN())


def ring(facts: Facts) -> RunConfig:
    """The ring of Gaussians on which a collapse can be watched, after Metz et al. (2017), section 3.1.

    Two small dense networks on `builtin:ring`; a minute on one core. Both players have Adam 1e-3, where the paper
    gives D 1e-4. The non-saturating loss usually recovers some of the eight modes and rotates among the others.
    Source: arXiv:1611.02163, section 3.1 and appendix A.
    """
    return RunConfig(
        recipe="ring",
        batch=256,
        networks=Points(),
        optimizer=_both(Adam(lr=1e-3)),
        ema=EMA(half_life_images=50_000),
    )


def satellite(facts: Facts) -> RunConfig:
    """Fake satellite images in 39 mistakes: mirrored nets, four Adam states, moderation, a history, L2.

    Tiles of 64 pixels, batch 64, 20,000 steps; 19,154,627 and 19,616,609 parameters, Xavier weights, Adam 2e-4 and
    1.5e-4 with beta1 0.5, L2 1e-4 on both nets, G twice a step, one image of each batch kept and shown 0.3 of the time.
    A checkpoint every 500 batches. Meant for a GPU: on two cores a step takes seconds; `--set networks.width=16` brings
    it within reach. The original ends with a human test in which the fakes are laid out as the letter N.
    Source: seed:satellite, mistakes 16 to 39.
    """
    return RunConfig(
        recipe="satellite",
        networks=Points() if facts.points else Satellite(),
        budget=Budget(steps=20_000),
        penalties=(L2(weight=1e-4),),
        generator_terms=(L2(weight=1e-4),),
        replay=History(use=0.3, keep=1),
        turns=Moderated(),
        optimizer=Optimizers(generator=Adam(lr=2e-4), discriminator=Adam(lr=1.5e-4)),
        checkpoint=CheckpointSettings(every_images=500 * 64),
    )


def eleven_hacks(facts: Facts) -> RunConfig:
    """Eleven hacks at once: strides, leaky ReLU, batch norm, N(0, 0.02), smoothed and noisy labels.

    Real labels uniform in 0.7..1.2, fake ones in 0.0..0.3, 5 % of both flipped; Adam 2e-4 with beta1 0.5, latents of
    100 dimensions, normal ones (compare hack 8 with `--set networks.latent=uniform`), separate batches. Its point is
    that nobody knows in advance which subset helps: switch them off one by one. As fast as `dcgan`.
    Source: seed:eleven-hacks; Chintala et al. (2016), items 1 to 9.
    """
    loss = NonSaturating(real_labels=(0.7, 1.2), fake_labels=(0.0, 0.3), flip=0.05)
    networks = Points() if facts.points else DCGAN(generator_activation=LeakyReLU())
    return RunConfig(recipe="eleven-hacks", networks=networks, loss=loss)


def upsample(facts: Facts) -> RunConfig:
    """The DCGAN that upsamples by nearest neighbours and convolutions, with dropout and one joint batch for D.

    Adam 2e-4 with betas 0.5 and 0.999, N(0, 0.02) weights. Reals and fakes go through D in one batch, as the original
    does; `--set batches=separate` parts them. Against a collapse it names the Wasserstein loss and the unrolled GAN:
    `--set loss=wasserstein --set 'penalties=["wgan_gp"]'`, `--set opponent=unrolled`.
    Source: seed:upsample; Odena et al. (2016), doi:10.23915/distill.00003.
    """
    return RunConfig(recipe="upsample", networks=Points() if facts.points else Upsample(), batches="joint")


def unrolled(facts: Facts) -> RunConfig:
    """The unrolled GAN of Metz et al. (2017): G plays against the discriminator five updates ahead.

    The DCGAN otherwise; on `builtin:ring` the paper's dense networks, Adam 1e-4 for D and 1e-3 for G. The inner updates
    are plain gradient descent, with a rate at which they go about as far as Adam's. On the ring of eight Gaussians it
    recovers all modes in ten seconds (three seeds of three) where `dcgan` keeps one; with images a step costs ten times
    that of `dcgan`.
    Source: arXiv:1611.02163, sections 2 and 3, appendix A.
    """
    if facts.points:
        optimizer = Optimizers(generator=Adam(lr=1e-3), discriminator=Adam(lr=1e-4))
        return RunConfig(
            recipe="unrolled", batch=256, networks=Points(), opponent=Unrolled(lr=0.02), optimizer=optimizer
        )
    return RunConfig(recipe="unrolled", networks=DCGAN(), opponent=Unrolled(steps=5))


def wgan_gp(facts: Facts) -> RunConfig:
    """The Wasserstein GAN with gradient penalty of Gulrajani et al. (2017): five critic steps, no batch norm in D.

    Weight 10, Adam 1e-4 with betas 0 and 0.9, batch 64, on the DCGAN's nets. A step takes about five times that of
    `dcgan`; published on CIFAR-10 after 100,000 generator steps: FID 22.3 (Mimicry), on stacked digits 959 of 1,000.
    Source: arXiv:1704.00028, Algorithm 1.
    """
    return RunConfig(
        recipe="wgan-gp",
        networks=Points() if facts.points else DCGAN(discriminator_norm=NoNorm()),
        loss=Wasserstein(),
        penalties=(WGANGP(),),
        turns=Fixed(discriminator=5),
        optimizer=_both(Adam(lr=1e-4, beta1=0.0, beta2=0.9)),
    )


def faces256(facts: Facts) -> RunConfig:
    """A DCGAN for faces of 256 pixels: seven transposed convolutions 5×5 against seven of 3×3.

    Adam 1e-4 with beta1 0.5 for both, batch 16, 50,000 steps, N(0, 0.02) weights. Its authors report an Inception
    Score of 2.61 and visible mode collapse. Meant for a GPU; `--size 64` or 128 leaves layers next to the image out.
    Source: seed:faces.
    """
    return RunConfig(
        recipe="faces256",
        size=256,
        batch=16,
        budget=Budget(steps=50_000),
        networks=Faces256(),
        optimizer=_both(Adam(lr=1e-4)),
    )


def ten_lessons(facts: Facts) -> RunConfig:
    """Ten lessons from a year of GANs: spectral norm in both nets, TTUR, one-sided labels 0.9, noise.

    Adam 4e-4 for D and 1e-4 for G with betas 0 and 0.9; instance noise 0.1. As fast as `dcgan`.
    Source: seed:ten-lessons; arXiv:1802.05957, arXiv:1706.08500, arXiv:1606.03498.
    """
    networks = DCGAN(spectral_norm="both", discriminator_norm=NoNorm())
    return RunConfig(
        recipe="ten-lessons",
        networks=Points() if facts.points else networks,
        loss=NonSaturating(real_labels=(0.9, 0.9)),
        show=InstanceNoise(std=0.1),
        optimizer=Optimizers(
            generator=Adam(lr=1e-4, beta1=0.0, beta2=0.9), discriminator=Adam(lr=4e-4, beta1=0.0, beta2=0.9)
        ),
    )


def msg(facts: Facts) -> RunConfig:
    """The multi-scale gradient GAN of Karnewar and Wang (2020): D sees every scale of G at once, 64 to 1024 pixels.

    Non-saturating loss with R1, Adam with beta1 0. A processor gets narrow networks: at full width it shows one image a
    second at 64 pixels on two cores. At 256 pixels and more it is meant for a GPU.
    Source: arXiv:1903.06048, sections 2 and 3.
    """
    return RunConfig(
        recipe="msg",
        batch=16,
        networks=MSG() if facts.device == "cuda" else MSG(width=32, max_width=128),
        penalties=(R1(gamma=10, every=4),),
        optimizer=_both(Adam(lr=1e-3, beta1=0.0, beta2=0.99)),
    )


def sngan(facts: Facts) -> RunConfig:
    """The spectrally normalised GAN of Miyato et al. (2018): residual nets, hinge loss, five critic steps.

    Adam 2e-4 with betas 0 and 0.9, batch 64. Conditional where there are labels (projection discriminator, Miyato and
    Koyama 2018). Published on CIFAR-10: FID 21.7 after 50,000 generator steps on a GPU; a processor gets a
    quarter of the width.
    Source: arXiv:1802.05957, section 4 and appendix B; arXiv:1802.05637.
    """
    return RunConfig(
        recipe="sngan",
        networks=Points() if facts.points else SNGAN(width=None if facts.device == "cuda" else 16),
        loss=Hinge(),
        turns=Fixed(discriminator=5),
        optimizer=_both(Adam(lr=2e-4, beta1=0.0, beta2=0.9)),
    )
