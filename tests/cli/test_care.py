"""What a person is told of what care did: a line when it was done, the lines at the end, and commands that work."""

from __future__ import annotations

import re
import shlex

import pytest

from steadygan.care import Continue, RollBack, Stop
from steadygan.care.keep import Keeping
from steadygan.cli.main import main
from steadygan.runs import Run
from tiny import TINY, draw, set_options

REASON = "the score was 1 after 32 images and is 2 now, 100% worse" + "; and so on" * 20


@pytest.fixture
def trained(tmp_path, monkeypatch, capsys):
    """Train in a folder with a space in its name, at whose checkpoint after 64 images care does this; what was said."""

    def train(act):
        monkeypatch.setattr(Keeping, "decide", lambda self, moment: act if moment.images == 64 else Continue())
        monkeypatch.setattr("steadygan.training.scores._SMALLEST_DESCRIBED", 10**6)  # quicker, and another matter
        monkeypatch.setattr("steadygan.training.listeners.draw_whole_run", lambda session: None)
        settings = set_options(TINY | {"scores": {"metrics": []}})
        said = call("train", str(draw(tmp_path / "photos", 40)), "-o", str(tmp_path / "a run"), "--size", "16",
                    "--recipe", "dcgan", "--images", "192", *settings)  # fmt: skip
        return Run(tmp_path / "a run"), said

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main([*words])
        assert left.value.code in (0, None)
        printed = capsys.readouterr()
        return printed.err + printed.out

    train.call = call
    return train


@pytest.mark.slow
def test_a_run_that_care_ended_is_a_finished_one_that_says_so_and_goes_on_as_it_says(trained):
    run, said = trained(Stop(REASON))
    assert run.checkpoint("latest").images == 64
    assert re.search(r"^ended +early, by care, after 64 images", said, flags=re.MULTILINE)
    command = re.search(r"^go on: +steadygan (.*)$", said, flags=re.MULTILINE)
    assert command
    assert "by care" not in trained.call(*shlex.split(command[1]))
    assert run.checkpoint("latest").images == 192


@pytest.mark.slow
def test_a_set_back_is_said_in_one_line_what_why_and_how_to_undo_it_which_does(trained):
    run, said = trained(RollBack(32, {"optimizer.generator.lr": 1e-5}, REASON))
    (line,) = (line for line in said.splitlines() if line.startswith("care: "))
    done, number, undo = (line.index(part) for part in ("state after 32 images, with optimizer", "was 1 after", "undo"))
    assert done < number < undo
    assert len(line.replace(str(run.path), "runs/a")) < 400
    assert run.log()[-1].lr_g == 1e-5
    assert [act.back_to for act in run.findings() if act.act] == [32]
    trained.call(*shlex.split(line.partition("undo it: steadygan ")[2]))
    assert run.checkpoint("latest").images == 192
    assert run.log()[-1].lr_g == 2e-4
    assert not [act for act in run.findings() if act.act], "what was undone is told no more"
    assert run.log()[-1].images == 192
