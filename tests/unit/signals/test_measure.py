"""A measurement of a whole game: what it gives, and that the game does not notice it."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from steadygan.augment import DiffAugment
from steadygan.data import Dataset
from steadygan.data.builtin import Critters
from steadygan.networks import classes_of, latents_of
from steadygan.objectives.view import View
from steadygan.ops.images import from_uint8, to_uint8
from steadygan.recipes import RECIPES
from steadygan.records import Signals
from steadygan.signals.measure import COUNT, Measure, Reals
from steadygan.signals.players import Players
from steadygan.spec import ImageSpec
from steadygan.training.build import make_game, make_pair
from steadygan.training.doctor import last_updates
from tiny_recipes import spec_of, tiny_recipe

VARIANTS = {
    "dropout": ("dcgan", {"networks": {"width": 4, "dropout": 0.5}}),
    "virtual batch norm": (
        "dcgan",
        {"networks": {"width": 4, "generator_norm": "virtual_batch", "discriminator_norm": "virtual_batch"}},
    ),
    "spectral norm": ("dcgan", {"networks": {"width": 4, "spectral_norm": "both", "discriminator_norm": "none"}}),
    "ada": ("dcgan", {"show": {"kind": "ada", "speed_images": 16}, "replay": "history"}),
    "joint": ("dcgan", {"batches": "joint", "show": "diff_augment"}),
    "classes": ("sngan", {"networks": {"kind": "sngan", "width": 4}}),
}
CASES = {name: (name, {}) for name in RECIPES} | VARIANTS
ENOUGH = {"dcgan", "msg", "ring", "ada", "classes"}  # one of each kind of game; the others are slow


class Played:
    """A small game on drawn numbers, and its signals."""

    def __init__(self, name: str) -> None:
        recipe, settings = CASES[name]
        self.spec = spec_of(recipe, classes=2 if name == "classes" else 0)
        self.config = tiny_recipe(recipe, self.spec, **settings)
        self.game = make_game(self.config, make_pair(self.config, self.spec), self.spec)
        self.latents = latents_of(self.config.networks)
        labels = np.arange(100) % 2 if self.spec.classes else None
        form = (100, self.spec.size, self.spec.size, self.spec.channels)
        images = np.random.default_rng(0).integers(0, 256, form, np.uint8)
        self.dataset = Dataset(Path(), self.spec, images, labels, (), np.arange(0, 100, 5), "", {})
        labelled = classes_of(self.game.generator) > 0
        self.measure = Measure(Reals(self.dataset, torch.device("cpu"), labelled=labelled, mirror=True))

    def step(self) -> None:
        real = self.measure.reals.batch(np.arange(8))
        self.game.step(lambda: real, lambda: self.latents.draw(8))

    def look(self) -> Signals:
        game = self.game
        fixed = torch.randn(COUNT, self.latents.dim, generator=torch.Generator().manual_seed(0))
        players = Players(
            game.generator, game.discriminator, game.show, game.view, 0.0, fixed, self.measure.reals.real[1:], 8
        )
        return Signals.model_validate({"step": game.steps, **self.measure(players, last_updates(game))})

    def traces(self) -> dict[str, object]:
        """All that a measurement could leave behind."""
        players = {"generator": self.game.generator, "discriminator": self.game.discriminator}
        found: dict[str, object] = {"random": torch.get_rng_state(), "game": self.game.state_dict()}
        for name, network in players.items():
            found[name] = network.state_dict()
            found[f"{name}'s modes"] = [module.training for module in network.modules()]
            found[f"{name}'s gradients"] = [(weight.grad, weight.requires_grad) for weight in network.parameters()]
        return copy.deepcopy(found)


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in ENOUGH else pytest.mark.slow) for name in CASES]
)
def test_a_game_that_is_measured_is_the_same_to_the_bit_as_one_that_is_not(name):
    traces = []
    for measured in (True, False):
        torch.manual_seed(0)
        played = Played(name)
        played.step()
        if measured:
            before = played.traces()
            played.look()
            assert same(before, played.traces())
        played.step()
        traces.append(played.traces())
    assert same(*traces)


@pytest.fixture(scope="module")
def dcgan() -> tuple[Played, Signals, Signals]:
    torch.manual_seed(0)
    played = Played("dcgan")
    played.step()
    first = played.look()
    played.step()
    return played, first, played.look()


def test_every_signal_that_a_plain_game_has_is_a_finite_number(dcgan):
    _, first, second = dcgan
    lacking = {name for name, value in second.model_dump().items() if value in (None, (), {})}
    assert lacking == {"augment", "leak"}
    assert first.movement is None
    assert 0 < second.movement < 1


def test_the_same_state_gives_the_same_signals(dcgan):
    played, _, second = dcgan
    assert played.look().model_dump(exclude={"movement", "seconds"}) == second.model_dump(
        exclude={"movement", "seconds"}
    )


def test_layers_of_both_players_have_gradients_and_updates_by_name(dcgan):
    played, first, _ = dcgan
    for player, network in {"generator": played.game.generator, "discriminator": played.game.discriminator}.items():
        layers = {name.rpartition(".")[0] for name, _ in network.named_parameters()}
        assert first.gradients[player].keys() == layers
        assert first.updates[player].keys() == layers
        assert all(0 < value < 1 for value in first.gradients[player].values())


def test_without_held_out_images_nothing_is_said_of_them_and_the_rest_is():
    played = Played("dcgan")
    played.dataset = Dataset(**{**vars(played.dataset), "held_out": np.arange(3)})
    played.measure = Measure(Reals(played.dataset, torch.device("cpu"), labelled=False, mirror=False))
    played.step()
    found = played.look()
    assert found.d_held_out is found.accuracy_held_out is found.copies is None
    assert found.d_real is not None
    assert found.twins is not None


def test_points_have_diversity_and_opinions_but_no_looks():
    played = Played("ring")
    played.step()
    found = played.look()
    assert None not in (found.diversity, found.rank, found.d_real, found.distance)
    assert found.ms_ssim is found.checkerboard is found.contrast is found.saturated is found.modes is None
    assert found.colour == ()


def test_a_conditional_game_is_measured_under_labels():
    played = Played("classes")
    played.step()
    assert played.look().d_held_out is not None


def test_augmentation_is_measured_where_there_is_one():
    played = Played("joint")
    played.step()
    found = played.look()
    assert found.augment == 1
    assert found.inputs[0] < -0.9


class Gallery(torch.nn.Module):
    """A generator that has its pictures ready: the first number of a latent says which."""

    def __init__(self, pictures: torch.Tensor) -> None:
        super().__init__()
        self.pictures = torch.nn.Parameter(from_uint8(pictures))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return self.pictures[latent[:, 0].long()]


@pytest.fixture(scope="module")
def critters() -> tuple[torch.Tensor, Measure]:
    """Drawn animals (240, 3, 32, 32), the first 160 to train on, and what measures against them."""
    spec = ImageSpec(size=32, channels=3)
    images = np.stack([np.asarray(Critters().draw(number, 32).image) for number in range(240)])
    dataset = Dataset(Path(), spec, images, None, (), np.arange(160, 240), "", {})
    shown = torch.from_numpy(images).permute(0, 3, 1, 2)
    return shown, Measure(Reals(dataset, torch.device("cpu"), labelled=False, mirror=False))


def seen(measure: Measure, pictures: torch.Tensor) -> Signals:
    """Signals of a game whose generator shows 64 of these pictures."""
    latents = torch.arange(COUNT)[:, None].float() % len(pictures)
    show = DiffAugment().build(ImageSpec(size=32, channels=3))
    judge = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 1), torch.nn.Flatten(0))
    players = Players(Gallery(pictures), judge, show, View, 0.0, latents, (), 32)
    return Signals.model_validate({"step": 1, **measure(players, {})})


def test_reals_that_were_not_trained_on_pass_for_reals_in_every_respect(critters):
    pictures, measure = critters
    found = seen(measure, pictures[160:224])
    for name in ("diversity", "rank", "ms_ssim", "contrast", "saturated", "checkerboard"):
        assert getattr(found, name) / getattr(found, f"{name}_real") == pytest.approx(1, abs=0.3), name
    assert found.colour == pytest.approx(found.colour_real, abs=0.1)
    assert found.d_fake == pytest.approx(found.d_real, abs=0.3)
    assert found.twins < 0.1
    assert found.copies < 0.1
    assert found.leak < 0.3
    assert found.distance < 0.15


def test_what_is_wrong_with_pictures_shows_in_its_own_signal(critters):
    pictures, measure = critters
    good = pictures[160:224]
    one, half, copied = (seen(measure, each) for each in (good[:1], good[:32], pictures[:64]))
    assert one.diversity == one.rank == 0
    assert one.twins == half.twins == 1
    assert copied.copies == 1
    dark, flat = seen(measure, (good * 0.4).byte()), seen(measure, (128 + (good - 128.0) * 0.3).byte())
    assert sum(dark.colour) < 0.5 * sum(one.colour_real)
    assert flat.contrast < 0.4 * one.contrast_real
    assert seen(measure, (good > 128) * torch.tensor(255).byte()).saturated == 1
    augmented = to_uint8(DiffAugment().build(ImageSpec(size=32, channels=3))(from_uint8(good)))
    assert seen(measure, augmented).leak > 0.7
    assert dark.leak == 0
    assert dark.distance > 3 * seen(measure, good).distance
