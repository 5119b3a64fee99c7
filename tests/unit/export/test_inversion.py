"""Latents are found again: closed forms, own pictures, and what a result may depend on."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import nn

import steadygan as sg
from steadygan.export.inversion import Inversion, draw, invert_one
from steadygan.networks import DCGAN, SNGAN, AnyNetworks
from steadygan.spec import ImageSpec
from tiny_recipes import SMALL

QUICK = Inversion(steps=60, starts=4, candidates=64, features=0)
FAMILIES = [family for family in get_args(get_args(AnyNetworks)[0]) if family().kind != "points"]


class PlainColours(nn.Module):
    """Pictures of one colour, a fifth of the latent: the nearest one to a photo has its mean colour."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.2))

    def forward(self, latent):
        return (self.scale * latent)[..., None, None].expand(-1, -1, 16, 16)


class Striped(PlainColours):
    """The same with a white stripe whose height is the class."""

    classes = 3

    def forward(self, latent, labels):
        stripe = (torch.arange(16) // 5 == labels[:, None]).float()
        return super().forward(latent) + stripe[:, None, :, None]


def generator(networks=None, classes: int = 0, channels: int = 3) -> sg.TrainedGenerator:
    networks = networks or DCGAN(width=4, max_width=8, latent_dim=10)
    spec = ImageSpec(size=16, channels=channels, classes=classes)
    torch.manual_seed(2)
    made = networks.build(spec).generator
    with torch.no_grad():  # so that pictures differ by more than a level, as those of fresh networks do not
        for weights in made.parameters():
            weights.mul_(8 if weights.ndim > 1 else 1)
        for _ in range(50):
            made(torch.randn(32, networks.latent_dim), *(torch.arange(32) % max(classes, 1),) * bool(classes))
    return sg.TrainedGenerator(made, networks.model_dump(), spec, networks.latent_dim, {})


def find(model, photo, how=QUICK, label=None):
    return invert_one(model, photo, draw(model, how, 0, label), how)


def saved(model, folder):
    return model.save(folder / "g.safetensors")


@pytest.mark.parametrize(
    ("colour", "features"), [((0.3, -0.2, 0.1), 0), ((-0.25, -0.25, 0.4), 0), ((0.0, 0.5, 0.2), 0.1)]
)
def test_the_nearest_picture_of_a_linear_generator_is_the_mean_colour(colour, features):
    model = sg.TrainedGenerator(PlainColours(), {}, ImageSpec(size=16, channels=3), 3, {})
    checks = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 80 - 40  # gone in the first average
    plain = (torch.tensor(colour) + 1) * 127.5
    latent, _ = find(
        model,
        (plain[:, None, None] + checks).round().to(torch.uint8),
        Inversion(steps=60, starts=1, candidates=8, features=features),
    )
    torch.testing.assert_close(latent * 0.2, torch.tensor(colour), atol=0.01, rtol=0)


@pytest.mark.parametrize("steps", range(1, 8))
def test_however_few_the_steps_the_start_that_is_nearest_is_kept(steps):
    model = sg.TrainedGenerator(PlainColours(), {}, ImageSpec(size=16, channels=3), 3, {})
    still = Inversion(steps=steps, starts=8, candidates=64, rate=1e-9, noise=0, features=0, polish=0)
    candidates, grey = draw(model, still, 0, None), torch.full((3, 16, 16), 128, dtype=torch.uint8)
    nearest = candidates.latents[candidates.latents.square().sum(1).argsort()[:7]]
    starts = torch.cat([nearest, nearest.mean(0, keepdim=True)])  # whose mean is grey as no other is
    latent, _ = invert_one(model, grey, candidates, still)
    torch.testing.assert_close(latent, starts[starts.square().sum(1).argmin()], atol=1e-3, rtol=0)


def test_own_pictures_are_found_much_nearer_than_random_ones_and_strange_ones_are_not(tmp_path):
    model = generator()
    path, own = saved(model, tmp_path), model.sample(2, seed=9).plain()
    how = QUICK.model_copy(update={"steps": 20})
    found = sg.project(path, own, how=how, own=1)
    assert (found.distances < 0.5).all(), found.distances  # half a level: what rounding to levels leaves
    torch.testing.assert_close(found.latents, model.latents(2, seed=9), atol=0.05, rtol=0)
    rough = sg.project(path, own, how=how.model_copy(update={"polish": 0}), own=0)
    assert (rough.distances > 0.7).all(), "found without the last steps, so this is no test of them"
    assert not found.far.any()
    assert torch.equal(found.pictures, model.pictures(found.latents).plain())
    apart = (found.pictures.double() - own.double()).square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(found.distances.double(), apart, atol=1e-4, rtol=1e-4)
    noise = torch.randint(0, 2, (1, 3, 16, 16), generator=torch.Generator().manual_seed(0)).mul(255).to(torch.uint8)
    strange = sg.project(path, noise, how=QUICK, own=0)
    assert strange.far.all()
    assert "far" in strange.said()[0]
    assert strange.own is None


def test_a_latent_follows_from_its_photo_and_the_seed_whatever_else_is_asked_for(tmp_path):
    path = saved(generator(), tmp_path)
    photos = torch.randint(0, 256, (3, 3, 16, 16), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    how, state = QUICK.model_copy(update={"steps": 10}), torch.get_rng_state()
    together = sg.invert(path, photos, how=how)
    assert together.shape == (3, 10)
    assert together.dtype == torch.float32
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    assert torch.equal(sg.invert(path, photos[[2, 0]], how=how, own=1), together[[2, 0]])
    assert not torch.equal(sg.invert(path, photos, how=how, seed=1), together)


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_latents_stay_where_the_generator_was_trained(kind):
    model = generator(DCGAN(width=4, max_width=8, latent_dim=10, latent=kind))
    for level in (0, 255):  # what no picture reaches draws latents away
        latent, _ = find(
            model,
            torch.full((3, 16, 16), level, dtype=torch.uint8),
            Inversion(steps=20, starts=1, rate=1.0, features=0),
        )
        if kind == "uniform":
            assert latent.abs().max() <= 1
        else:
            assert abs(latent.norm() - math.sqrt(10)) <= 3 / math.sqrt(2) + 1e-4


def test_of_a_conditional_generator_the_class_is_found_or_the_one_asked_for_is_taken():
    model = sg.TrainedGenerator(Striped(), {}, ImageSpec(size=16, channels=3, classes=3), 3, {})
    how = QUICK.model_copy(update={"steps": 20, "starts": 2})
    for number, photo in enumerate(model.sample(3, seed=4).plain()):
        assert find(model, photo, how)[1][0] == number
        assert find(model, photo, how, label="1")[1][0] == 1


def test_labels_come_with_what_is_found(tmp_path):
    model = generator(SNGAN(width=4, latent_dim=10), classes=3)
    own, path = model.sample(2, seed=4).plain(), saved(model, tmp_path)
    found = sg.project(path, own, label=1, how=Inversion(steps=1, starts=2, candidates=2), own=0)
    assert found.labels.tolist() == [1, 1]
    assert torch.equal(found.pictures, model.pictures(found.latents, found.labels).plain())
    with pytest.raises(sg.ConfigError, match="there is none of that name"):
        sg.invert(path, own, label="q")


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_reach_the_latents_of_every_network(family):
    networks = family(**SMALL[family().kind])
    spec = ImageSpec(size=64 if family().kind == "faces256" else 16, channels=3, classes=2 * (family is SNGAN))
    pair = networks.build(spec)
    model = sg.TrainedGenerator(pair.generator, networks.model_dump(), spec, networks.latent_dim, {})
    photo = torch.randint(0, 256, (3, spec.size, spec.size), dtype=torch.uint8)
    how = Inversion(steps=2, starts=1, candidates=1, noise=0)
    latent, labels = find(model, photo, how)
    assert latent.isfinite().all()
    assert (latent != draw(model, how, 0, None).latents[0]).float().mean() > 0.5
    assert len(labels) == (family is SNGAN)


def test_a_grey_photo_of_a_grey_generator_gives_numbers():
    latent, _ = find(
        generator(channels=1),
        torch.full((1, 16, 16), 90, dtype=torch.uint8),
        Inversion(steps=5, starts=1, candidates=1),
    )
    assert latent.isfinite().all()


def test_generators_of_points_and_pictures_of_another_form_are_refused(tmp_path):
    points = sg.Points(width=4, latent_dim=4)
    spec = ImageSpec(size=1, channels=2)
    path = sg.TrainedGenerator(points.build(spec).generator, points.model_dump(), spec, 4, {}).save(
        tmp_path / "p.safetensors"
    )
    with pytest.raises(sg.ConfigError, match="give a run on pictures"):
        sg.invert(path, "photo.png")
    path = saved(generator(), tmp_path)
    for wrong in (torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16, dtype=torch.uint8)):
        with pytest.raises(sg.DataError, match="pictures must be uint8"):
            sg.invert(path, wrong)
    for nothing in ([], "builtin:critters", tmp_path / "none.png"):
        with pytest.raises(sg.ConfigError):
            sg.invert(path, nothing)
