"""The textbooks: the systems of the founding documents and of the papers behind them."""

from __future__ import annotations

from steadygan.augment import InstanceNoise
from steadygan.networks import DCGAN, MSG, SNGAN, Faces256, Points, Satellite, Upsample
from steadygan.networks.choices import LeakyReLU
from steadygan.networks.norms import NoNorm
from steadygan.objectives import L2, R1, WGANGP, Hinge, NonSaturating, Wasserstein
from steadygan.recipes.facts import Facts
from steadygan.training.average import EMA
from steadygan.training.config import Budget, CheckpointSettings, Optimizers, RunConfig, SampleSettings
from steadygan.training.opponent import Unrolled
from steadygan.training.optim import Adam
from steadygan.training.replay import History
from steadygan.training.turns import Apart, Fixed, Moderated

_FACES_BATCH = 16


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

    Tiles are trained at 64 pixels whatever the folder holds (256 there), batch 64, 20,000 steps; 19,154,627 and
    19,616,609 parameters, Xavier weights, Adam 2e-4 and 1.5e-4 with beta1 0.5, L2 1e-4 on both nets, biases too, G
    twice a step. "30 % of the time" is read as: with probability 0.3 all the fakes of a turn of D come from the
    history, which keeps one image of each batch. A checkpoint every 500 steps, a picture every 10th (four images in a
    grid, one there). Meant for a GPU: on two cores a step takes seconds; `--set networks.width=16` brings it within
    reach. The original ends with a human test in which the fakes are laid out as the letter N. The averaged generator
    is ours; `--set ema.half_life_images=0` switches it off.
    Source: seed:satellite, mistakes 9, 10 and 16 to 39.
    """
    return RunConfig(
        recipe="satellite",
        networks=Points() if facts.points else Satellite(),
        budget=Budget(steps=20_000),
        size=None if facts.points else 64,
        penalties=(L2(weight=1e-4, biases=True),),
        generator_terms=(L2(weight=1e-4, biases=True),),
        replay=History(use=0.3, keep=1),
        turns=Moderated(),
        optimizer=Optimizers(generator=Adam(lr=2e-4), discriminator=Adam(lr=1.5e-4)),
        checkpoint=CheckpointSettings(every_steps=500),
        samples=SampleSettings(every_steps=10, count=4),
    )


def eleven_hacks(facts: Facts) -> RunConfig:
    """Eleven hacks at once: strides, leaky ReLU, batch norm, N(0, 0.02), smoothed and noisy labels.

    Real labels uniform in 0.7..1.2, fake ones in 0.0..0.3, 5 % of both flipped; Adam 2e-4 with beta1 0.5, normal
    latents of 100 dimensions (hack 8; compare it with `--set networks.latent=uniform`), separate batches and two
    updates of D a step, on the reals, then on the fakes (`--set turns=fixed`: one on both). Its point is that nobody
    knows in advance which subset helps: switch them off one by one. The averaged generator is ours;
    `--set ema.half_life_images=0` switches it off. About as fast as `dcgan`.
    Source: seed:eleven-hacks; Chintala et al. (2016), items 1 to 9.
    """
    loss = NonSaturating(real_labels=(0.7, 1.2), fake_labels=(0.0, 0.3), flip=0.05)
    networks = Points() if facts.points else DCGAN(generator_activation=LeakyReLU())
    return RunConfig(recipe="eleven-hacks", networks=networks, loss=loss, turns=Apart())


def upsample(facts: Facts) -> RunConfig:
    """The DCGAN that upsamples by nearest neighbours and convolutions, with dropout and one joint batch for D.

    Adam 2e-4 with betas 0.5 and 0.999, N(0, 0.02) weights. D's loss sees reals and fakes in one batch, G's its fakes
    alone, as the document allows. Through D's batch norm the two then play different games, and the losses of both may
    be low ("Fake satellite images: 39 mistakes", mistake 38): in a trial of 2,000 steps at 16 pixels D's stayed near
    0.3 and G's below 1, where one batch in both turns (`--set batches=joint_both`) or in neither
    (`--set batches=separate`) ended at 1.4 and 0.8. The 3×3 kernels, and dropout of a quarter of D's maps, are ours:
    the document names neither size nor rate. It shows the saturating loss, too (`--set loss=minimax`), and against a
    collapse names the Wasserstein loss and the unrolled GAN: `--set loss=wasserstein --set penalties=wgan_gp`,
    `--set opponent=unrolled`. The averaged generator is ours; `--set ema.half_life_images=0` switches it off.
    Source: seed:upsample; against the checkerboard, Odena et al. (2016), doi:10.23915/distill.00003.
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

    Weight 10, Adam 1e-4 with betas 0 and 0.9, batch 64, on the DCGAN's nets; 100,000 steps, after which FID 22.3 was
    published on CIFAR-10 (Mimicry); on stacked digits 959 of 1,000 modes. A step takes five times that of `dcgan`.
    Source: arXiv:1704.00028, Algorithm 1.
    """
    return RunConfig(
        recipe="wgan-gp",
        budget=Budget() if facts.points else Budget(steps=100_000),
        networks=Points() if facts.points else DCGAN(discriminator_norm=NoNorm()),
        loss=Wasserstein(),
        penalties=(WGANGP(),),
        turns=Fixed(discriminator=5),
        optimizer=_both(Adam(lr=1e-4, beta1=0.0, beta2=0.9)),
    )


def faces256(facts: Facts) -> RunConfig:
    """A DCGAN for faces of 256 pixels: 4×4 and six times 5×5 in G, six times 3×3 and 4×4 in D.

    Adam 1e-4 with beta1 0.5 for both, batch 16, 50,000 steps. Beta2 is CNTK's by default, 0.9999986 (a time constant of
    720,000 images) to the power of the batch, as CNTK counts it per image; for another batch say it anew with
    `--set optimizer.generator.beta2=` and the same for D. With the correction for its start at 0, which CNTK makes as
    well, Adam then divides by the mean over nearly the whole run and hardly forgets a gradient. Weights are N(0, 0.02)
    with 0.02 as standard deviation, the DCGAN's and what CNTK's `normal` takes: the document calls it the variance,
    with which D would begin at logits of some ±20 (`--set networks.std=0.1414`).
    Its author saw no difference between the two losses where training went well (`--set loss=minimax`), names more
    turns of D for more control (`--set turns.discriminator=2`), and reports an Inception Score of 2.61 with visible
    mode collapse. Pixel shuffle, average pooling and ELU, which did not work, are choices of the `dcgan` networks. The
    averaged generator is ours; `--set ema.half_life_images=0` switches it off. Meant for a GPU; `--size 64` or 128
    leaves layers next to the image out. Photographs become faces with `--set data.fit=faces`.
    Source: seed:faces.
    """
    adam = Adam(lr=1e-4, beta2=0.9999986**_FACES_BATCH)
    return RunConfig(
        recipe="faces256",
        size=256,
        batch=_FACES_BATCH,
        budget=Budget(steps=50_000),
        networks=Faces256(),
        optimizer=_both(adam),
    )


def ten_lessons(facts: Facts) -> RunConfig:
    """Ten lessons from a year of GANs: spectral norm in both nets, TTUR, one-sided labels 0.9, noise.

    Lessons 6, 7, 9 and 10, on the loss of lesson 3, the simplest: Adam 4e-4 for D and 1e-4 for G. The document names no
    betas, no strength of the noise and no networks: 0 and 0.9, instance noise of 0.1, the DCGAN's nets and no batch
    norm in D beside its spectral norm are ours. Lesson 8, multi-scale gradients up to 1024 pixels, goes with it:
    `--set 'networks={"kind": "msg", "spectral_norm": "both"}'`, at rates some ten times as high. Against a collapse
    lesson 5 names lower rates, `--set 'generator_terms=["feature_matching"]'` and
    `--set networks.minibatch=discrimination`. The averaged generator is ours; `--set ema.half_life_images=0` switches
    it off. As fast as `dcgan`.
    Source: seed:ten-lessons; arXiv:1802.05957, arXiv:1706.08500, arXiv:1606.03498, arXiv:1903.06048.
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
    Source: arXiv:1903.06048, sections 2 and 3.1.
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
    Koyama 2018). 50,000 steps, after which FID 21.7 was published on CIFAR-10; a processor gets a quarter of the width.
    Source: arXiv:1802.05957, section 4 and appendix B; arXiv:1802.05637.
    """
    return RunConfig(
        recipe="sngan",
        budget=Budget() if facts.points else Budget(steps=50_000),
        networks=Points() if facts.points else SNGAN(width=None if facts.device == "cuda" else 16),
        loss=Hinge(),
        turns=Fixed(discriminator=5),
        optimizer=_both(Adam(lr=2e-4, beta1=0.0, beta2=0.9)),
    )
