from __future__ import annotations

import re
from bisect import bisect
from typing import get_args

import pytest
import torch
from torch import nn

from steadygan.networks import DCGAN, R3GAN, AnyNetworks, Points, Satellite, classes_of, count_parameters
from steadygan.networks.dcgan import sides_of
from steadygan.spec import ImageSpec
from tables import Table

MEMBERS = get_args(get_args(AnyNetworks)[0])
SPECS = Table(
    "SPECS in tests/unit/networks/test_networks.py",
    {
        "dcgan": ImageSpec(size=32, channels=3),
        "satellite": ImageSpec(size=16, channels=3),
        "upsample": ImageSpec(size=31, channels=3),
        "faces256": ImageSpec(size=64, channels=3),
        "msg": ImageSpec(size=16, channels=3),
        "sngan": ImageSpec(size=16, channels=3, classes=3),
        "r3gan": ImageSpec(size=16, channels=3, classes=3),
        "points": ImageSpec(size=1, channels=2),
    },
)
NARROW = {"msg": {"width": 8, "max_width": 16}, "r3gan": {"width": 16}}


def pair_of(family):
    """A narrow pair of the family, its settings and form, and labels for three images if it wants them."""
    settings = family(**NARROW.get(family().kind, {"width": 8}))
    spec = SPECS[settings.kind]
    assert settings.problems(spec) == []
    pair = settings.build(spec)
    return settings, spec, pair, (torch.tensor([0, 1, 2]),)[: bool(classes_of(pair.generator))]


@pytest.mark.parametrize("family", MEMBERS)
def test_pair_makes_images_of_the_form_and_one_logit_each(family):
    settings, spec, pair, labels = pair_of(family)
    images = pair.generator.eval()(torch.randn(3, settings.latent_dim), *labels)
    assert images.shape == (3, spec.channels, spec.size, spec.size)
    assert pair.discriminator(images, *labels).shape == (3,)


@pytest.mark.parametrize("family", MEMBERS)
def test_features_come_with_the_same_logits(family):
    _, spec, pair, labels = pair_of(family)
    discriminator = pair.discriminator.eval()
    images = torch.randn(3, spec.channels, spec.size, spec.size)
    logits, features = discriminator(images, *labels, with_features=True)
    torch.testing.assert_close(logits, discriminator(images, *labels))
    assert len(features) == 3


@pytest.mark.parametrize("size", [16, 17, 28, 31, 48, 64, 100, 255, 256])
@pytest.mark.parametrize("channels", [1, 4])
def test_dcgan_fits_any_size_and_channel_count(size, channels):
    pair = DCGAN(width=4).build(ImageSpec(size=size, channels=channels))
    images = pair.generator(torch.randn(2, 100))
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    assert pair.discriminator(images).shape == (2,)


def test_dcgan_64_has_the_published_parameter_counts():
    pair = DCGAN(width=64).build(ImageSpec(size=64, channels=3))
    assert count_parameters(pair.generator) == 3_576_704
    assert count_parameters(pair.discriminator) == 2_765_568


def test_dcgan_weights_are_drawn_from_the_stated_normal_and_biases_are_zero():
    torch.manual_seed(0)
    pair = DCGAN().build(ImageSpec(size=64, channels=3))
    for network in pair:
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.numel() > 10_000:
                assert abs(module.weight.std() - 0.02) < 0.001
                assert abs(module.weight.mean()) < 0.001
            if isinstance(module, nn.BatchNorm2d):
                assert module.bias.abs().max() == 0
                assert abs(module.weight.mean() - 1) < 0.02


def test_dcgan_has_no_batch_norm_at_the_output_of_g_and_the_input_of_d():
    pair = DCGAN(width=8).build(ImageSpec(size=32, channels=3))
    assert isinstance(pair.generator.layers[-2], nn.ConvTranspose2d)
    assert not isinstance(pair.discriminator.layers[1], nn.BatchNorm2d)
    for network, expected in zip(pair, (3, 2), strict=True):
        assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == expected


@pytest.mark.parametrize(("size", "sides"), [(64, [4, 8, 16, 32, 64]), (17, [4, 8, 17]), (28, [7, 14, 28])])
def test_sides_halve_down_to_four_to_seven(size, sides):
    assert sides_of(size) == sides


@pytest.mark.parametrize("spec", [ImageSpec(size=15, channels=3), ImageSpec(size=257, channels=3)])
def test_dcgan_refuses_sizes_it_cannot_make_with_the_range(spec):
    (problem,) = DCGAN().problems(spec)
    assert "16 to 256" in problem
    assert str(spec.size) in problem


def test_points_refuses_images():
    assert Points().problems(ImageSpec(size=64, channels=3))


@pytest.mark.parametrize("family", [family for family in MEMBERS if family is not Points])
def test_a_size_that_does_not_work_is_refused_with_the_nearest_that_do(family):
    settings = family()
    said = {size: settings.problems(ImageSpec(size=size, channels=3, classes=2)) for size in range(2, 1200)}
    works = [size for size, problems in said.items() if not problems]
    for size in said.keys() - set(works):
        (problem,) = said[size]
        named = [int(number) for number in re.findall(r"\d+", problem.partition(f"not {size}; ")[2])]
        place = bisect(works, size)
        assert named == [*works[max(place - 1, 0) : place], *works[place : place + 1]], problem
    assert works


@pytest.mark.parametrize(("settings", "size"), [(Satellite(width=1), 300), (R3GAN(widths=(16, 16, 16, 16)), 100)])
def test_the_sizes_that_are_named_work_with_the_widths_asked_for(settings, size):
    (problem,) = settings.problems(ImageSpec(size=size, channels=3))
    named = [int(number) for number in re.findall(r"\d+", problem.partition("; ")[2])]
    found = [settings.problems(ImageSpec(size=number, channels=3)) for number in named]
    assert found == [[]] * len(named)
