"""The recipes of the founding documents hold to their numbers, and say what is ours."""

from __future__ import annotations

import math

import pytest
import torch

from steadygan.networks import Pair
from steadygan.recipes import RECIPES, choose_recipe
from steadygan.recipes.papers import PAPERS
from steadygan.recipes.techniques import find
from steadygan.training.average import Average
from steadygan.training.build import make_game, make_pair
from steadygan.training.check import check
from tiny_recipes import spec_of, tiny_recipe

DOCUMENTS = {
    "satellite": "seed:satellite",
    "eleven-hacks": "seed:eleven-hacks",
    "upsample": "seed:upsample",
    "faces256": "seed:faces",
    "ten-lessons": "seed:ten-lessons",
}
FOUNDING = pytest.mark.parametrize("name", DOCUMENTS)


@FOUNDING
def test_the_average_is_said_to_be_ours_and_the_option_that_is_named_switches_it_off(name):
    text = " ".join((RECIPES[name].__doc__ or "").split())
    assert "The averaged generator is ours; `--set ema.half_life_images=0` switches it off." in text
    spec = spec_of(name)
    config = tiny_recipe(name, spec, ema={"half_life_images": 0})
    check(config, spec, 1)
    pair = Pair(*make_pair(config, spec))
    game, average = make_game(config, pair, spec), Average(pair.generator, config.ema)
    shape = (8, spec.channels, spec.size, spec.size)
    for _ in range(2):
        game.step(lambda: (torch.rand(shape) * 2 - 1,), lambda: torch.randn(8, config.networks.latent_dim))
        average.update(game.images, 8)
    for mine, own in zip(average.network.parameters(), pair.generator.parameters(), strict=True):
        assert torch.equal(mine, own)


def test_beta2_of_the_faces_is_the_time_constant_of_720_000_images_at_its_batch():
    config = choose_recipe("faces256")
    assert config.batch == 16
    for adam in (config.optimizer.generator, config.optimizer.discriminator):
        assert -config.batch / math.log(adam.beta2) == pytest.approx(720_000, rel=0.01)
        assert adam.beta1 == 0.5


@pytest.mark.parametrize(
    ("technique", "documents"),
    [
        ("joint_batches", {"seed:upsample", "seed:satellite", "seed:eleven-hacks"}),
        ("label_smoothing", {"seed:eleven-hacks", "seed:ten-lessons"}),
        ("noisy_labels", {"seed:eleven-hacks"}),
        ("ttur", {"seed:ten-lessons"}),
        ("spectral_norm", {"seed:ten-lessons"}),
        ("dropout", {"seed:upsample"}),
        ("closing_layers", {"seed:satellite"}),
    ],
)
def test_a_technique_cites_the_documents_that_name_it(technique, documents):
    (entry,) = find(technique)
    assert {paper for paper in entry.papers if paper.startswith("seed:")} == documents
    assert documents <= set(PAPERS)
