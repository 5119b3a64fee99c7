"""torch.compile as an option: the same game, penalties included, which the compiled network alone cannot do."""

from __future__ import annotations

import pytest
import torch

import steadygan as sg
from steadygan.recipes import configure
from steadygan.training.console import Silent
from steadygan.training.run import train
from tiny import TINY, draw


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler warns of itself
def test_a_compiled_run_with_gradient_penalties_loses_as_the_eager_one_does(tmp_path):
    draw(tmp_path / "pictures", 16)
    losses = []
    for compiled in (False, True):
        settings = {**TINY, "size": 16, "budget": {"steps": 4}, "log": {"every_images": 8}}
        settings["runtime"] = {**TINY["runtime"], "compile": compiled}
        config = configure(tmp_path / "pictures", "steady", settings)
        run = train(config, tmp_path / str(compiled), Silent())
        losses.append(torch.tensor([[tick.loss_d, tick.loss_g, tick.penalty] for tick in run.log()]))
        assert sg.load(run.path).sample(1).shape == (1, 3, 16, 16)
    assert losses[0][0, 2] > 0
    # fused kernels round otherwise than eager ones, and Adam's first steps amplify it
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-2, atol=1e-2)
