from __future__ import annotations

import tomllib

import pytest

from steadygan.config import difference, flatten, merge, parse_assignment, read_toml, resolve, to_toml
from steadygan.errors import ConfigError
from steadygan.objectives import L2, R1, AnyLoss, Hinge
from steadygan.recipes.techniques import members
from steadygan.training.config import RunConfig

LOSSES = ", ".join(loss.model_fields["kind"].default for loss in members(AnyLoss))


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("bathc=3", "bathc: no such setting; did you mean 'batch'?"),
        ("loss.kind=hing", f"loss.kind: 'hing' is not one of {LOSSES}; did you mean 'hinge'?"),
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


class Misspelt:
    """Right but for a letter, wherever it stands."""

    every, lr = 1, 0.1
    latent_dims = 3

    def d_los(self, view): ...
    def g_loss(self, view): ...
    def mooves(self, step, report, look): ...
    def agianst(self, loss, view): ...
    def biuld(self, spec): ...
    def problems(self, spec): ...
    def compares(self, sides): ...
    def describer(self, of): ...
    def __repr__(self):
        return "Misspelt of\nmany lines"


LACKS = {
    "loss": "loss: Misspelt lacks `d_loss`; did you mean its `d_los`?",
    "penalties": "penalties[0]: Misspelt lacks `__call__`",
    "generator_terms": "generator_terms[0]: Misspelt lacks `__call__`",
    "show": "show: Misspelt lacks `build`; did you mean its `biuld`?",
    "replay": "replay: Misspelt lacks `build`; did you mean its `biuld`?",
    "opponent": "opponent: Misspelt lacks `against`; did you mean its `agianst`?",
    "turns": "turns: Misspelt lacks `moves`; did you mean its `mooves`?",
    "networks": "networks: Misspelt lacks `latent_dim`, `build`; did you mean its `latent_dims` and `biuld`?",
    "optimizer.generator": "optimizer.generator: Misspelt lacks `build`; did you mean its `biuld`?",
    "scores.metrics": "scores.metrics[0]: Misspelt lacks `compare`; did you mean its `compares`?",
}


@pytest.mark.parametrize("place", LACKS)
def test_an_own_part_is_told_the_method_it_lacks(place):
    several = place in ("penalties", "generator_terms", "scores.metrics")
    tree = [Misspelt()] if several else Misspelt()
    for name in reversed(place.split(".")):
        tree = {name: tree}
    with pytest.raises(ConfigError) as error:
        resolve(RunConfig, tree)
    assert str(error.value) == LACKS[place]


@pytest.mark.parametrize("place", ["loss", "networks", "turns"])
def test_a_class_in_place_of_an_object_is_refused(place):
    for given in (Misspelt, Hinge):
        with pytest.raises(ConfigError, match=f"{place}: {given.__name__} is a class; give an object of it"):
            resolve(RunConfig, {place: given})


@pytest.mark.parametrize("setting", ["batch", "runtime", "loss.kind", "seed"])
def test_what_takes_many_lines_to_show_itself_is_refused_in_one(setting):
    tree = Misspelt()
    for name in reversed(setting.split(".")):
        tree = {name: tree}
    with pytest.raises(ConfigError) as error:
        resolve(RunConfig, tree)
    assert str(error.value).startswith(f"{setting.split('.')[0]}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", ["r1", "[r1]", "[ r1 ]", '["r1"]', '{"kind": "r1"}', '[{"kind": "r1"}]', '"r1"'])
def test_one_part_stands_for_a_list_of_it(given):
    assert resolve(RunConfig, parse_assignment(f"penalties={given}")).penalties == (R1(),)


def test_lists_of_parts_are_taken_from_names_from_files_and_from_python():
    for names in ("[r1, l2]", "r1,l2", "[r1,l2,]"):
        chosen = resolve(RunConfig, parse_assignment(f"penalties={names}"))
        assert [penalty.kind for penalty in chosen.penalties] == ["r1", "l2"]
    assert resolve(RunConfig, tomllib.loads('generator_terms = "l2"')).generator_terms == (L2(),)
    assert resolve(RunConfig, parse_assignment("scores.metrics=swd")).scores.metrics[0].kind == "swd"
    assert RunConfig(penalties=R1(gamma=3)).penalties == RunConfig(penalties=[R1(gamma=3)]).penalties == (R1(gamma=3),)
    assert RunConfig(penalties="r1").penalties == (R1(),)
    assert RunConfig(penalties=[]).penalties == resolve(RunConfig, parse_assignment("penalties=[]")).penalties == ()


def test_what_is_no_list_of_names_is_refused_with_the_ways_to_write_one():
    with pytest.raises(ConfigError) as error:
        resolve(RunConfig, parse_assignment('penalties=[{"kind": r1}]'))
    assert str(error.value).startswith("penalties: write it as NAME, as [NAME, NAME] or as [{")


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
