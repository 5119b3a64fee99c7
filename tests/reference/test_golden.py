"""Losses of the first steps of every recipe, written down: a refactoring that moves one of them must say why.

Rewrite the file, after a change that means to move them, with:  PYTHONPATH=tests python tests/reference/test_golden.py
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from steadygan.networks import Pair
from steadygan.recipes import RECIPES
from steadygan.training.build import make_game, make_pair
from steadygan.training.check import check
from steadygan.training.seeds import seed_everything
from tiny_recipes import spec_of, tiny_recipe

FILE = Path(__file__).with_name("golden.json")
STEPS = {"dcgan": 6, "steady": 6, "ring": 6}  # the others two


def losses(name: str) -> list[list[float]]:
    """(d_loss, g_loss, penalty) of the first steps on random images, in float32 with one thread."""
    spec = spec_of(name)
    config = tiny_recipe(name, spec)
    check(config, spec, 1)
    torch.set_num_threads(1)
    game = make_game(config, Pair(*make_pair(config, spec)), spec)
    rows = []
    for step in range(STEPS.get(name, 2)):
        seed_everything(0, "step", 0, step)
        game.step(
            lambda: (torch.rand(8, spec.channels, spec.size, spec.size) * 2 - 1,),
            lambda: torch.randn(8, config.networks.latent_dim),
        )
        rows.append([game.report[key].item() for key in ("loss_d", "loss_g", "penalty")])
    return rows


@pytest.mark.parametrize("name", list(RECIPES))
def test_first_losses_of_a_recipe_are_those_written_down(name):
    # float32 sums differ between processors by some 1e-6, and six steps of Adam carry that to some 1e-4
    torch.testing.assert_close(
        torch.tensor(losses(name)), torch.tensor(json.loads(FILE.read_text())[name]), rtol=2e-3, atol=2e-3
    )


if __name__ == "__main__":
    FILE.write_text(json.dumps({name: losses(name) for name in RECIPES}, indent=1) + "\n")
