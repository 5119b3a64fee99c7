"""The doctor beside a run: what it writes and when, what it says, and what a divergence leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import steadygan as sg
from quiet import Quiet
from steadygan.care import Continue, RollBack
from steadygan.care.keep import Keeping
from steadygan.doctor.rule import Rule
from steadygan.networks import Pair
from steadygan.objectives.losses import NonSaturating
from steadygan.recipes import configure
from steadygan.records import Finding
from steadygan.signals.measure import Measure
from steadygan.training import run as running
from steadygan.training.doctor import Doctor, sentence
from steadygan.training.run import train
from tiny import WATCHED, fingerprint


def rule(name: str, judge) -> Rule:
    return Rule(name, "warning", f"{name} is seen", "why", judge, lambda case: ("first --set a=1", "second"), "paper")


RULES = (
    rule("late", lambda case: f"step {case.step}" if len(case["signals.diversity"]) and case.step >= 4 else None),
    rule("never", lambda case: "no ticks" if not len(case["loss_d"]) else None),
)


@pytest.fixture
def always(monkeypatch):
    """The doctor measures at every tick, and its rules are those above."""

    class Eager(Doctor):
        def __init__(self, settings, ticks):
            super().__init__(settings.model_copy(update={"most_time": 1e9}), ticks, RULES)

    monkeypatch.setattr(running, "Doctor", Eager)


@pytest.fixture(autouse=True)
def lean(monkeypatch):
    """Cheap scores and no pictures of the whole run: they have nothing to do with the doctor."""
    monkeypatch.setattr("steadygan.training.scores._SMALLEST_DESCRIBED", 10**6)
    monkeypatch.setattr("steadygan.training.listeners.draw_whole_run", lambda session: None)


def run(pictures, out, console=None, steps=6, **settings):
    lean = {**WATCHED, "size": 16, "samples": {"every_images": 10**6, "count": 1}, "scores": {"metrics": ()}}
    lean |= {"runtime": {**WATCHED["runtime"], "convolution": "plain"}}
    lean |= {"checkpoint": {"every_images": 32}, "budget": {"steps": steps}, "care": "watch"}
    config = configure(pictures, "dcgan", settings={**lean, **settings})
    return train(config, out, console or Quiet())


def test_signals_are_written_at_ticks_and_findings_once(pictures, tmp_path, always):
    console = Quiet()
    done = run(pictures, tmp_path / "a", console)
    assert [line.step for line in done.signals()] == [tick.step for tick in done.log()] == [2, 4, 6]
    [finding] = [one for one in done.findings() if one.step]
    assert (finding.rule, finding.step, finding.evidence) == ("late", 4, "step 4")
    assert console.said.count("warning: late is seen: step 4; try first --set a=1") == 1


@pytest.mark.slow
def test_a_run_that_is_measured_ends_with_the_weights_of_one_that_is_not(pictures, tmp_path, always):
    done = run(pictures, tmp_path / "a")
    plain = run(pictures, tmp_path / "b", doctor={"most_time": 0})
    assert not plain.files.signals.exists()
    prints = [fingerprint(one.files.pointed(one.files.latest)) for one in (done, plain)]
    assert prints[0] == prints[1]


def test_signals_and_findings_go_on_after_a_resume_without_repeating_any(pictures, tmp_path, always):
    def stop(session):
        if session.progress.steps == 5:
            raise KeyboardInterrupt  # as a crash does, after the checkpoint of step 4

    with pytest.raises(KeyboardInterrupt):
        run(pictures, tmp_path / "a", Quiet(stop))
    console = Quiet()
    done = sg.resume(tmp_path / "a", console=console)
    assert [line.step for line in done.signals()] == [2, 4, 6]
    assert [(finding.rule, finding.step) for finding in done.findings() if finding.step] == [("late", 4)]
    assert not [text for text in console.said if "late" in text]


def test_what_comes_again_after_the_run_was_set_back_from_it_is_found_again(pictures, tmp_path, always, monkeypatch):
    back = RollBack(None, {}, "why")
    monkeypatch.setattr(Keeping, "decide", lambda self, moment: back if moment.images == 32 else Continue())
    done = run(pictures, tmp_path / "a", care="keep")
    assert [one.step for one in done.findings() if one.rule == "late"] == [4, 6]


def test_the_first_tick_and_the_end_are_measured_whatever_it_takes(pictures, tmp_path, monkeypatch):
    class Frugal(Doctor):
        def __init__(self, settings, ticks):
            super().__init__(settings.model_copy(update={"most_time": 1e-9}), ticks)

    monkeypatch.setattr(running, "Doctor", Frugal)
    done = run(pictures, tmp_path / "a")
    assert [line.step for line in done.signals()] == [2, 6]


def test_a_run_whose_networks_cannot_be_measured_goes_on_without_and_says_so(pictures, tmp_path, monkeypatch):
    def fail(*_):
        raise AttributeError("batches of 8 only\nand more")

    monkeypatch.setattr(Measure, "__call__", fail)
    console = Quiet()
    done = run(pictures, tmp_path / "a", console, steps=4)
    assert done.signals() == []
    assert console.said.count("the doctor looks no more: batches of 8 only") == 1
    assert any("looks no more" in note.text for note in done.notes())


class Exploding(NonSaturating):
    """A loss that turns to NaN when told to."""

    now: ClassVar[bool] = False

    def d_loss(self, view):
        return super().d_loss(view) * torch.tensor(float("nan") if Exploding.now else 1.0)


class Wild(nn.Module):
    """Passes maps on until it is told to add what overflows, to them or to their gradient alone."""

    how: ClassVar[str] = ""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        if Wild.how == "output":
            return maps / 0
        return maps + (0 * maps).abs().sqrt() if Wild.how == "gradient" else maps


class Pairs:
    """Small networks of a user's own, one of which can go wild in the middle."""

    latent_dim = 4

    def __init__(self, player: str) -> None:
        self.player = player

    def problems(self, spec: Any) -> list[str]:
        return []

    def build(self, spec: Any) -> Pair:
        def wild(player: str) -> nn.Module:
            return Wild() if player == self.player else nn.Identity()

        generator = nn.Sequential(
            nn.Linear(4, 8), wild("generator"), nn.Linear(8, 768), nn.Tanh(), nn.Unflatten(1, (3, 16, 16))
        )
        judge = nn.Sequential(nn.Flatten(), nn.Linear(768, 8), wild("discriminator"), nn.Linear(8, 1), nn.Flatten(0))
        return Pair(generator, judge)


def diverged(pictures, out, **settings) -> tuple[str, str]:
    """What is said of a run that goes wild after two steps, and the evidence that it leaves."""

    def act(session):
        if session.progress.steps == 2:
            Wild.how, Exploding.now = settings.get("how", ""), "loss" in settings

    Wild.how, Exploding.now = "", False
    given = {name: value for name, value in settings.items() if name != "how"}
    try:
        with pytest.raises(sg.Diverged) as error:
            run(pictures, out, Quiet(act), **given)
    finally:
        Wild.how, Exploding.now = "", False
    [finding] = [one for one in sg.Run(out).findings() if one.rule == "not-finite"]
    assert (finding.severity, finding.step) == ("serious", 4)
    assert all(remedy.startswith("--") for remedy in finding.remedy.split("; "))  # what can be copied
    return str(error.value), finding.evidence


@pytest.mark.parametrize(
    ("player", "how", "says", "precision"),
    [
        ("generator", "output", "the output of generator.1 was the first value that was not finite", "float32"),
        pytest.param(
            *("discriminator", "output", "the output of discriminator.2 was the first value that was not", "bfloat16"),
            marks=pytest.mark.slow,
        ),
        ("discriminator", "gradient", "the gradient at the output of discriminator.1 was not", "float32"),
    ],
)
def test_a_divergence_names_the_layer_that_made_it(pictures, tmp_path, player, how, says, precision):
    runtime = {**WATCHED["runtime"], "precision": precision}
    said, evidence = diverged(pictures, tmp_path / "a", networks=Pairs(player), how=how, runtime=runtime)
    assert says in said
    assert says in evidence


def test_a_divergence_under_a_penalty_on_gradients_names_its_layer_too(pictures, tmp_path):
    def act(session):
        if session.progress.steps == 2:
            next(session.game.generator.parameters()).data.fill_(float("inf"))

    with pytest.raises(
        sg.Diverged, match=r"the output of generator\.layers\.0 was the first value that was not finite"
    ):
        run(pictures, tmp_path / "a", Quiet(act), loss="wasserstein", penalties=["wgan_gp"])


def test_a_loss_that_is_not_finite_is_told_from_layers_that_are(pictures, tmp_path):
    said, _ = diverged(pictures, tmp_path / "a", loss=Exploding())
    assert "the output of every layer was finite, but the discriminator's loss made of them was not" in said


def test_a_divergence_that_does_not_come_again_is_not_given_a_place(pictures, tmp_path, monkeypatch):
    def poison(session):
        if session.progress.steps == 2:
            session.game.healthy.fill_(0)

    with pytest.raises(sg.Diverged, match="played once more, stayed finite, so that the layer is not known"):
        run(pictures, tmp_path / "a", Quiet(poison))
    assert all(np.isfinite(tick.loss_d) for tick in sg.Run(tmp_path / "a").log())


def test_what_is_advised_while_a_run_goes_on_names_the_run():
    words = {"step": 1, "images": 8, "rule": "x", "severity": "info", "says": "it is slow", "evidence": "1 image/s"}
    finding = Finding.model_validate(words | {"remedy": "go on later with steadygan resume RUN; --threads 1"})
    said = sentence(finding, Path("runs/my run"))
    assert said == "info: it is slow: 1 image/s; try go on later with steadygan resume 'runs/my run'"
