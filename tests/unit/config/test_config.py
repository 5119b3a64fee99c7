from __future__ import annotations

import tomllib

import pytest

from steadygan.config import difference, flatten, merge, parse_assignment, read_toml, resolve, to_toml
from steadygan.errors import ConfigError
from steadygan.objectives import R1, Hinge
from steadygan.training.config import RunConfig


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("bathc=3", "bathc: no such setting; did you mean 'batch'?"),
        (
            "loss.kind=hing",
            (
                "loss.kind: 'hing' is not one of non_saturating, minimax, least_squares, hinge, wasserstein, "
                "relativistic, relativistic_average; did you mean 'hinge'?"
            ),
        ),
        ("batch=abc", "batch: input should be a valid integer"),
        ("optimizer.generator.lr=-1", "optimizer.generator.lr: must be more than 0, got -1"),
        ('penalties=[{"kind":"r1","gama":2}]', "penalties[0].gama: no such setting; did you mean 'gamma'?"),
        ('penalties=[{"kind":"r1","gamma":"x"}]', "penalties[0].gamma: input should be a valid number"),
        ("runtime.device=gpu", "runtime.device: 'gpu' is not one of 'auto', 'cpu', 'cuda' or 'mps'"),
        ("loss=7", "loss: name the part, as in loss.kind=NAME, got 7"),
    ],
)
def test_a_wrong_setting_is_named_by_its_path_with_the_nearest_right_one(setting, sentence):
    with pytest.raises(ConfigError) as error:
        resolve(RunConfig, RunConfig().dump(), parse_assignment(setting))
    assert str(error.value).startswith(sentence)


def test_all_wrong_settings_are_reported_at_once():
    with pytest.raises(ConfigError) as error:
        resolve(RunConfig, {"batch": "x", "seed": -1, "colour": 3})
    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == ["seed", "batch", "colour"]


def test_configuration_survives_toml_and_json():
    config = RunConfig(loss=Hinge(), penalties=(R1(gamma=3, every=4),))
    assert resolve(RunConfig, tomllib.loads(to_toml(config.dump()))) == config
    assert resolve(RunConfig, config.dump()) == config


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a.b.c=3", {"a": {"b": {"c": 3}}}),
        ("a=true", {"a": True}),
        ("a=1e-4", {"a": 1e-4}),
        ("a=[1, 2]", {"a": [1, 2]}),
        ("a={ kind = 'x', n = 1 }", {"a": {"kind": "x", "n": 1}}),
        ("a=some words", {"a": "some words"}),
        ("a=x=y", {"a": "x=y"}),
    ],
)
def test_assignment_reads_json_toml_or_plain_text(text, tree):
    assert parse_assignment(text) == tree


@pytest.mark.parametrize("text", ["a", "=3", "a..b=3"])
def test_assignment_without_a_name_or_value_says_how_to_write_it(text):
    with pytest.raises(ConfigError, match=r"name\.of\.setting=value"):
        parse_assignment(text)


def test_merging_another_kind_replaces_the_part_and_the_same_kind_refines_it():
    base = {"loss": {"kind": "a", "x": 1}, "n": 1}
    assert merge(base, {"loss": {"kind": "b"}}) == {"loss": {"kind": "b"}, "n": 1}
    assert merge(base, {"loss": {"y": 2}}) == {"loss": {"kind": "a", "x": 1, "y": 2}, "n": 1}
    assert base == {"loss": {"kind": "a", "x": 1}, "n": 1}


def test_difference_lists_paths_with_both_values():
    assert difference({"a": {"b": 1, "c": [1, 2]}}, {"a": {"b": 2, "c": [1]}, "d": 0}) == {
        "a.b": (1, 2),
        "a.c[1]": (2, None),
        "d": (None, 0),
    }
    assert flatten({"a": [], "b": {"c": None}}) == {"a": [], "b.c": None}


def test_broken_toml_names_the_file_and_line(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("batch = 3\nseed = = 2\n")
    with pytest.raises(ConfigError, match=r"mine\.toml is not valid TOML.*line 2"):
        read_toml(file)
    with pytest.raises(ConfigError, match="cannot read the recipe file"):
        read_toml(tmp_path / "missing.toml")


class OwnLoss:
    def d_loss(self, view):
        return view.fake_logits.mean() - view.real_logits.mean()

    def g_loss(self, view):
        return -view.fake_logits.mean()


def test_an_object_of_the_users_own_is_accepted_and_named_but_not_a_wrong_one():
    config = RunConfig(loss=OwnLoss())
    assert config.own_parts() == ["loss"]
    assert config.dump()["loss"]["type"].endswith("OwnLoss")
    with pytest.raises(ValueError, match="loss"):
        RunConfig(loss=object())
