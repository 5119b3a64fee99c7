"""A step of training never makes the host wait for a GPU, and mixes no devices; shown without one, and on one."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import fake_gpu
from steadygan.data import Dataset
from steadygan.data.loader import Batches
from steadygan.networks import Pair, latents_of
from steadygan.recipes import RECIPES
from steadygan.training.build import make_game, make_pair
from steadygan.training.config import RuntimeSettings
from steadygan.training.loop import step
from steadygan.training.runtime import Runtime, choose
from steadygan.training.speed import LAYOUTS
from telling import telling
from tiny_recipes import spec_of, tiny_recipe

WAITS = {"satellite", "turns=moderated", "turns=balanced"}
"""What asks who moves next has to wait for the answer: it decides which programs the host starts."""


FEW = ("steady", "satellite")
REST = tuple(name for name in RECIPES if name not in FEW)


@cache
def outcomes(*words: str) -> dict[str, str | None]:
    """What each recipe or technique did on a GPU of shapes alone: "" if nothing went wrong."""
    line = [sys.executable, fake_gpu.__file__, *words]
    said = subprocess.run(line, capture_output=True, text=True, check=True)
    found: dict[str, str | None] = json.loads(said.stdout)
    return found


def refused(problem: str | None) -> bool:
    return problem is not None and "_local_scalar_dense" in problem and "_agreed" in problem


@pytest.mark.parametrize("name", telling(RECIPES, *FEW))
def test_no_recipe_waits_for_a_gpu_unless_it_asks_who_moves_next(name):
    found = outcomes("recipes", *(FEW if name in FEW else REST))[name]
    assert refused(found) if name in WAITS else found == ""


@pytest.mark.slow
def test_no_technique_waits_for_a_gpu_unless_it_asks_who_moves_next():
    found = outcomes("techniques")
    wrong = {name: problem for name, problem in found.items() if problem}
    assert wrong.keys() == found.keys() & WAITS, wrong
    assert all(map(refused, wrong.values()))
    assert {name for name, problem in found.items() if problem is None} == {"networks=points"}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", RECIPES)
def test_gradients_and_moments_have_the_very_strides_of_their_weights_as_fused_kernels_on_cuda_demand(name, layout):
    spec = spec_of(name)
    config = tiny_recipe(name, spec)
    networks = make_pair(config, spec)
    game = make_game(config, Pair(*(one.to(memory_format=LAYOUTS[layout]) for one in networks)), spec)
    seen = []

    def like(value, weight):
        return isinstance(value, torch.Tensor) and value.shape == weight.shape

    def look(optimizer, *_):
        for weight in (one for group in optimizer.param_groups for one in group["params"]):
            beside = [one for one in optimizer.state[weight].values() if like(one, weight)]
            seen.extend((one.stride(), weight.stride()) for one in (weight.grad, *beside))

    for optimizer in game.optimizers.values():
        optimizer.optimizer.register_step_pre_hook(look)
    real = torch.rand(8, spec.channels, spec.size, spec.size).contiguous(memory_format=LAYOUTS[layout])
    for _ in range(2):
        game.step(lambda: (real,), lambda: latents_of(config.networks).draw(8))
    assert seen
    assert [pair for pair in seen if len(set(pair)) > 1] == []


@pytest.mark.gpu
@pytest.mark.parametrize("name", sorted(RECIPES.keys() - WAITS))
def test_on_cuda_a_step_with_its_images_never_waits(name):
    spec = spec_of(name)
    config = tiny_recipe(name, spec)
    runtime = Runtime(choose(RuntimeSettings(device="cuda")))
    pair = Pair(*(runtime.prepare(runtime.place(network)) for network in make_pair(config, spec)))
    session = fake_gpu.session_of(config, spec, pair, runtime)
    images = np.zeros((64, spec.size, spec.size, spec.channels), np.uint8)
    dataset = Dataset(Path(), spec, images, None, (), np.empty(0, np.int64), "", {})
    with closing(Batches(dataset, batch=config.batch, seed=0, device=runtime.device, mirror=True)) as batches:
        step(session, batches)  # the first one loads libraries and programs
        torch.cuda.set_sync_debug_mode("error")
        try:
            for _ in range(4):
                step(session, batches)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert session.game.healthy == 1
