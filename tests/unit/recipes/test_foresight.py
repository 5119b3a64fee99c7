"""What a run would be, told before it."""

from __future__ import annotations

import json

import pytest

from quiet import Quiet
from steadygan.cli.main import main
from steadygan.config import parse_assignment
from steadygan.recipes.foresight import foresee
from tiny import TINY, set_options

SET = {**TINY, "runtime": {**TINY["runtime"], "convolution": "plain"}, "size": 16, "data": {"held_out": 0.1}}


def foreseen(source, settings=None, recipe="dcgan", **other):
    return foresee(source, recipe, {**SET, **(settings or {})}, Quiet(), **other)


def test_settings_images_estimate_and_audit_of_a_run_that_is_not_begun(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = foreseen(pictures, {"budget": {"steps": 50}})
    assert found.problems == ()
    assert found.wrong is None
    assert (found.data.count, found.data.held_out, found.data.spec.size) == (120, 12, 16)
    assert found.config["data"]["source"] == str(pictures)
    assert found.changed["batch"] == (8, 64)
    assert found.changed["budget.steps"] == (50, None)
    assert found.estimate.steps == 50
    assert found.estimate.seconds == pytest.approx(50 * 8 / found.estimate.images_per_second, rel=0.01)
    assert found.estimate.memory_mb > 100
    assert found.estimate.device == "cpu"
    assert {"images-blank", "few-steps"} <= {one.rule for one in found.findings}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        ({"batch": "abc", "loss": "hnge"}, ["batch", "loss.kind"]),
        ({"batch": 1}, ["batch"]),
        ({"networks": {"wdith": 3}}, ["networks.wdith"]),
        ({"optimizer": {"generator": {"lr": -1}}}, ["optimizer.generator.lr"]),
        ({"penalties": [{"kind": "r1", "gamma": -1}]}, ["penalties[0].gamma"]),
        ({"turns": "moderated", "loss": "wasserstein"}, ["turns"]),
        ({"size": 15}, ["size"]),
        ({"runtime": {"device": "mps"}}, ["runtime.device"]),
    ],
)
def test_what_is_wrong_stands_at_its_setting(pictures, settings, places):
    found = foreseen(pictures, settings)
    assert [one.setting for one in found.problems] == places
    assert found.wrong.exit_code == 2
    assert found.estimate is None


def test_a_misspelled_source_recipe_and_start_are_told_at_theirs(pictures, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    for place, found in {
        "data.source": foreseen(tmp_path / "nowhere"),
        "recipe": foreseen(pictures, recipe="dcgann"),
        "start.source": foreseen(pictures, {"start": {"source": str(tmp_path / "no")}}),
        "out": foreseen(pictures, out=tmp_path / "full"),
    }.items():
        assert [one.setting for one in found.problems] == [place]
        assert found.wrong
    assert foreseen("builtin:crittrs").problems[0].setting == "data.source"


def test_the_command_prints_the_problems_says_them_and_leaves_with_their_code(pictures, capsys):
    with pytest.raises(SystemExit) as left:
        main(["train", str(pictures), "--dry-run", "--json", "--set", "batch=x", *set_options({"size": 16})])
    out, err = capsys.readouterr()
    assert left.value.code == 2
    [problem] = json.loads(out)["problems"]
    assert problem["setting"] == "batch"
    assert err.splitlines()[-1] == f"steadygan: {problem['problem']}"


def test_json_without_a_dry_run_is_refused_before_anything(pictures, capsys, tmp_path):
    with pytest.raises(SystemExit) as left:
        main(["train", str(pictures), "--json", "-o", str(tmp_path / "run")])
    assert left.value.code == 2
    assert "--dry-run" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_values_that_a_shell_would_act_on_are_only_values():
    nasty = "$(touch /tmp/x); `id` && 'a' \"b\" | * \\ \n é"
    assert parse_assignment(f"data.source={json.dumps(nasty)}") == {"data": {"source": nasty}}
