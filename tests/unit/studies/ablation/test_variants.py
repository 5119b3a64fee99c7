"""Which techniques fit which recipe: each gives settings that pass the checks of training, or says why it cannot."""

from __future__ import annotations

import pytest

from steadygan.errors import ConfigError
from steadygan.recipes import RECIPES
from steadygan.recipes.facts import Facts
from steadygan.recipes.techniques import techniques
from steadygan.spec import ImageSpec
from steadygan.studies.ablation.study import BASE, configured
from steadygan.studies.ablation.switching import all_switches, setting_values
from steadygan.studies.ablation.variants import asked, variants_of
from steadygan.training.check import check
from steadygan.training.config import Budget, RunConfig

SIZES = {"ring": 1, "faces256": 256}


def base_of(recipe: str) -> tuple[RunConfig, ImageSpec]:
    spec = ImageSpec(size=SIZES.get(recipe, 64), channels=2 if recipe == "ring" else 3)
    config = RECIPES[recipe](Facts(size=spec.size, channels=spec.channels))
    return config.model_copy(update={"budget": Budget(images=20_000)}), spec


def changes_of(recipe: str, *vary: str, **sets: list[str]) -> dict[str, dict]:
    config, spec = base_of(recipe)
    found = variants_of(config, spec, asked(vary, sets), vary)
    return {one.name: one.changes for one in found.variants}


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_technique_fits_a_recipe_or_says_why_not(recipe):
    config, spec = base_of(recipe)
    found = variants_of(config, spec, all_switches(), [])
    assert len(found.variants) - 1 + len(found.left_out) == len(techniques())
    assert all(len(one.reason) > 10 and "\n" not in one.reason for one in found.left_out)
    stored = config.dump()
    for variant in found.variants[1:]:
        again = configured(stored, variant.changes)
        assert variant.changes
        assert again.dump() != stored
        check(again, spec, 1)
    assert len({str(one.changes) for one in found.variants}) == len(found.variants)


def test_what_a_recipe_has_is_switched_off_and_the_rest_stays():
    assert changes_of("ten-lessons", "ttur", "spectral_norm", "instance_noise", "label_smoothing") == {
        BASE: {},
        "no-ttur": {"optimizer.generator.lr": 2e-4, "optimizer.discriminator.lr": 2e-4},
        "no-spectral_norm": {"networks.spectral_norm": "none"},
        "no-instance_noise": {"show": {"kind": "as_is"}},
        "no-label_smoothing": {"loss.real_labels": [1.0, 1.0]},
    }
    assert [one["kind"] for one in changes_of("steady", "r1")["no-r1"]["penalties"]] == ["r2"]
    assert changes_of("steady", "ema")["no-ema"] == {"ema.half_life_images": 0}


def test_what_is_switched_off_is_named_in_words():
    words = ["r1", "networks.generator_norm=batch"]
    found = variants_of(*base_of("steady"), asked(words, {}), words)
    assert [one.title for one in found.variants[1:]] == ["without r1", "networks.generator_norm without batch"]


def test_a_penalty_comes_to_those_that_are_there():
    kinds = [one["kind"] for one in changes_of("steady", "lecam")["lecam"]["penalties"]]
    assert kinds == ["r1", "r2", "lecam"]


def test_pairs_have_both_and_leave_out_what_undoes_each_other():
    config, spec = base_of("dcgan")
    words = ["hinge", "least_squares", "r1", "r2"]
    found = variants_of(config, spec, asked(words, {}), words, pairs=True)
    changes = {one.name: one.changes for one in found.variants}
    assert changes["hinge+r1"] == changes["hinge"] | changes["r1"]
    assert [one["kind"] for one in changes["r1+r2"]["penalties"]] == ["r1", "r2"]
    assert [(one.name, one.reason) for one in found.left_out] == [("hinge+least_squares", "both change loss")]


def test_values_of_a_setting_are_variants():
    assert changes_of("dcgan", batch=["32", "128"]) == {BASE: {}, "batch=32": {"batch": 32},
                                                               "batch=128": {"batch": 128}}  # fmt: skip
    assert setting_values('a.b=[1,2],{"c": 3},x') == ("a.b", ["[1,2]", '{"c": 3}', "x"])


@pytest.mark.parametrize(
    ("words", "sets", "said"),
    [
        (["spectralnorm"], {}, "did you mean 'spectral_norm'"),
        (["gamma"], {}, "a setting of r1"),
        (["l2"], {}, "penalties=l2 or generator_terms=l2"),
        (["penalties=r3"], {}, "did you mean 'penalties=r2'"),
        ([], {}, "--vary all"),
        ([], {"seed": ["1", "2"]}, "--seeds"),
        ([], {"data.fit": ["crop", "pad"]}, "do not compare"),
        ([], {"budget.images": ["1", "2"]}, "same budget"),
    ],
)
def test_what_cannot_be_varied_is_one_line(words, sets, said):
    with pytest.raises(ConfigError) as refused:
        asked(words, sets)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_was_named_and_does_not_fit_is_refused_with_the_reason():
    config, spec = base_of("steady")
    with pytest.raises(ConfigError, match="label_smoothing: loss relativistic has no setting 'real_labels'"):
        variants_of(config, spec, asked(["r1", "label_smoothing"], {}), ["r1", "label_smoothing"])
    with pytest.raises(ConfigError, match="ada: show: ada adapts"):
        variants_of(config, spec, asked(["ada"], {}), ["ada"])
