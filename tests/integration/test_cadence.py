"""How often a run draws and saves, in images or in steps, and at which size a recipe trains."""

from __future__ import annotations

from pathlib import Path

import pytest

import steadygan as sg
from steadygan.data import PrepareSettings, prepare
from steadygan.errors import ConfigError
from steadygan.recipes import configure
from steadygan.records import Tick
from steadygan.studies.evaluate import open_reals
from steadygan.training.config import Budget, Cadence, RunConfig
from steadygan.training.console import Silent
from steadygan.training.session import Session
from tiny import TINY, draw

SMALL = {**TINY, "networks": {"width": 4, "latent_dim": 8}, "batch": 4, "replay": {"capacity": 8}}


def fired(cadence: Cadence, shown: list[int]) -> list[int]:
    """The steps after which a cadence is due, in steps that showed so many images."""
    session = Session.__new__(Session)
    session.progress = type("Progress", (), {"images": 0, "steps": 0})()
    due = []
    for images in shown:
        session.progress.steps += 1
        session.progress.images += images
        session.images_this_step = images
        due += [session.progress.steps] * session.crossed(cadence)
    return due


def test_a_cadence_in_steps_does_not_ask_for_the_batch_and_one_in_images_does_not_ask_for_the_steps() -> None:
    uneven = [8, 24, 8, 8, 24, 8]
    assert fired(Cadence(every_steps=2), uneven) == [2, 4, 6]
    assert fired(Cadence(every_images=16), uneven) == [2, 4, 5, 6]
    assert fired(Cadence(), uneven) == []


def test_one_cadence_replaces_the_other_and_both_at_once_are_refused() -> None:
    images = configure("builtin:critters", "satellite", {"checkpoint": {"every_images": 640}}).checkpoint
    assert (images.every_images, images.every_steps) == (640, None)
    kept = configure("builtin:critters", "satellite", {"checkpoint": {"keep": 7}}).checkpoint
    assert (kept.every_images, kept.every_steps, kept.keep) == (None, 500, 7)
    with pytest.raises(ConfigError, match="checkpoint: give every_images or every_steps, not both"):
        configure("builtin:critters", "dcgan", {"checkpoint": {"every_images": 640, "every_steps": 5}})


@pytest.mark.parametrize("batch", [16, 128])
def test_satellite_saves_every_500_steps_and_draws_every_tenth_whatever_the_batch(batch: int) -> None:
    config = configure("builtin:critters", "satellite", {"batch": batch})
    assert (config.checkpoint.every_steps, config.samples.every_steps) == (500, 10)
    assert config.size == 64


@pytest.mark.slow
def test_satellite_trains_at_64_pixels_on_larger_tiles_and_keeps_its_cadence(tmp_path: Path) -> None:
    prepare(draw(tmp_path / "tiles", 24, size=96), tmp_path / "set", PrepareSettings(size=96), workers=0)
    settings = {**SMALL, "samples": {"every_steps": 2, "count": 4}, "checkpoint": {"every_steps": 3}}
    run = sg.train(tmp_path / "set", "satellite", tmp_path / "run", steps=5, settings=settings)
    assert run.info().data.spec.size == 64
    assert [file.stem for file in run.files.fixed_samples()] == ["000000008", "000000016", "000000020"]
    assert [folder.name[-3:] for folder in run.files.all_checkpoints()] == ["012", "020"]
    ticks: list[Tick] = run.log()
    assert all(0 <= tick.path <= 1 for tick in ticks)
    for tick in ticks:
        assert tick.loss_d == pytest.approx(tick.loss_d_real + tick.loss_d_fake, rel=1e-4)
    reals, _ = open_reals(run.path, None, Silent())
    assert reals.digest == run.info().data.digest
    # a resumed run is told the same size and finds the same images
    assert len(sg.resume(tmp_path / "run", Budget(steps=6)).log()) > len(ticks)


def test_a_recipe_without_a_size_takes_the_images_as_they_were_prepared(tmp_path: Path) -> None:
    prepare(draw(tmp_path / "tiles", 24, size=32), tmp_path / "set", PrepareSettings(size=32), workers=0)
    run = sg.train(tmp_path / "set", RunConfig(), tmp_path / "run", steps=1, settings=TINY)
    assert run.info().data.spec.size == 32
