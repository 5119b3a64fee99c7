"""A DCGAN that is told classes: formulas by hand, and what it is without them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from steadygan.networks import DCGAN, classes_of
from steadygan.networks.choices import MinibatchStddev
from steadygan.networks.norms import BatchNorm, NoNorm, VirtualBatchNorm
from steadygan.networks.resampling import Residual
from steadygan.spec import ImageSpec

PLAIN, LABELLED = (ImageSpec(size=16, channels=3, classes=classes) for classes in (0, 3))
LABELS = torch.tensor([2, 0, 1, 2])
TOLD = DCGAN(width=4, latent_dim=8, conditional=True)
FORMS = {
    "plain": {},
    "steady": {"self_modulation": 4, "generator_norm": BatchNorm(affine=False), "downsampling": Residual(),
               "discriminator_norm": NoNorm(), "patches": 2},
    "stddev": {"minibatch": MinibatchStddev()},
    "virtual": {"generator_norm": VirtualBatchNorm(reference=4)},
    "bounded": {"spectral_norm": "both"},
}  # fmt: skip


def both_of(name):
    """The pair that is told classes, and the one that is not, with the same weights besides."""
    settings = TOLD.model_copy(update=FORMS[name])
    torch.manual_seed(0)
    told = settings.build(LABELLED)
    plain = settings.model_copy(update={"conditional": False}).build(PLAIN)
    for network, other in zip(told, plain, strict=True):
        kept = {place: value for place, value in network.state_dict().items()
                if not place.startswith(("embedding.", "projection."))}  # fmt: skip
        other.load_state_dict(kept)
    return [[network.eval() for network in pair] for pair in (told, plain)]


@pytest.mark.parametrize("name", FORMS)
def test_the_latent_is_moved_by_the_vector_of_its_class(name):
    (generator, _), (plain, _) = both_of(name)
    latent = torch.randn(4, 8)
    moved = latent + generator.embedding.weight[LABELS]
    torch.testing.assert_close(generator(latent, LABELS), plain(moved))
    assert not torch.allclose(generator(latent, LABELS), generator(latent, LABELS.flip(0)))


@pytest.mark.parametrize("name", FORMS)
def test_the_verdict_is_the_plain_one_and_the_projection_of_the_mean_features(name):
    (_, discriminator), (_, plain) = both_of(name)
    images = torch.rand(4, 3, 16, 16) * 2 - 1
    logits, features = discriminator(images, LABELS, with_features=True)
    means = features.flatten(2).mean(2)
    projected = torch.stack([means[n] @ discriminator.projection.embedding.weight[LABELS[n]] for n in range(4)])
    torch.testing.assert_close(logits, plain(images) + projected)
    assert projected.std() > 0


@pytest.mark.parametrize("conditional", [False, True])
def test_classes_are_told_as_asked(conditional):
    settings = DCGAN(width=4, conditional=conditional)
    assert [classes_of(network) for network in settings.build(LABELLED)] == [3 * conditional] * 2
    assert [wrong.split(":")[0] for wrong in settings.problems(PLAIN)] == ["networks.conditional"] * conditional
    assert settings.problems(LABELLED) == []


def test_the_published_pair_is_told_no_classes():
    assert DCGAN().build(LABELLED).generator(torch.randn(2, 100)).shape == (2, 3, 16, 16)


def test_a_bounded_discriminator_bounds_what_it_makes_of_classes_too():
    discriminator = TOLD.model_copy(update=FORMS["bounded"]).build(LABELLED).discriminator
    for _ in range(50):
        discriminator(torch.randn(3, 3, 16, 16), torch.tensor([0, 1, 2]))
    norm = torch.linalg.matrix_norm(discriminator.projection.embedding.weight.detach(), 2)
    assert float(norm) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", FORMS)
def test_only_the_vectors_of_the_classes_that_were_there_learn(name):
    torch.manual_seed(0)
    pair = TOLD.model_copy(update=FORMS[name]).build(LABELLED)
    labels = torch.tensor([0, 2, 0, 2])
    pair.discriminator(pair.generator(torch.randn(4, 8), labels), labels).square().sum().backward()
    # under spectral norm all vectors share one divisor, so that each feels the others
    shared = isinstance(getattr(pair.discriminator.projection.embedding, "parametrizations", None), nn.ModuleDict)
    for network, part, bounded in ((pair.generator, "embedding", False), (pair.discriminator, "projection", shared)):
        [gradient] = [p.grad for p in getattr(network, part).parameters()]
        assert gradient.any(1).tolist() == [True, bounded, True]
