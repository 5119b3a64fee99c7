"""From the form to the command line, and back: what is asked for is what a run would get."""

from __future__ import annotations

import json
import shlex

import pytest

from steadygan.cli.main import main
from steadygan.config import changes, parse_assignment
from steadygan.errors import ConfigError, Interrupted
from steadygan.recipes import start
from steadygan.recipes.choose import RECIPES, choose_recipe, whole
from steadygan.recipes.start import configure
from steadygan.training.changing import override
from steadygan.web.wanted import WantedRun, assignment, folder_of, free_name, line, wanted

CONFIGS = {name: choose_recipe(name) for name in RECIPES}
NASTY = [
    "$(touch x)",
    "`id`",
    "a; rm -rf /",
    "a' b\" c",
    "--debug",
    "-o",
    "*",
    "a\nb",
    "é ☃",
    "a=b",
    "[1",
    "{}",
    "true",
    "007",
    " x ",
]

VALUES = [*NASTY, "", 0, -1.5, 1e-8, True, None, [], [1, "a"], {"kind": "hinge"}, {"kind": "x", "y": None}]
PARTS = {
    "loss": "hinge",
    "networks": "msg",
    "show": "ada",
    "replay": "history",
    "opponent": "unrolled",
    "turns": "balanced",
    "care": "watch",
}


@pytest.fixture
def told(monkeypatch):
    """What the command line understands of words: source, recipe, settings, folder."""
    seen = []

    def begin(*asked):
        seen.append(asked)
        raise Interrupted("nothing was trained")

    monkeypatch.setattr(start, "begin", begin)

    def tell(words):
        with pytest.raises(SystemExit):
            main(list(words))
        return seen.pop()

    return tell


@pytest.mark.parametrize("recipe", RECIPES)
def test_form_command_and_settings_are_the_same_from_every_recipe_to_another(told, recipe):
    names = list(RECIPES)
    other = names[(names.index(recipe) + 5) % len(names)]
    here, there = CONFIGS[recipe], CONFIGS[other].model_copy(update={"recipe": recipe, "seed": 7, "size": 32})
    asked = {place: value for place, (value, _) in changes(there.dump(), here.dump()).items()}
    run = wanted(
        {"source": "builtin:critters", "recipe": recipe, "settings": json.loads(json.dumps(asked)), "name": ""}
    )
    source, named, settings, out = told(run.words("-o", "runs/x"))
    assert (source, named, str(out)) == ("builtin:critters", recipe, "runs/x")
    made = configure(source, named, settings).dump()
    assert {**made, "data": {**made["data"], "source": ""}} == there.dump()


def test_a_shell_gives_the_same_words_back():
    for text in NASTY:
        run = wanted({"source": text, "recipe": "steady", "settings": {"start.source": text}, "name": "x"})
        shown = line(run.words("-o", text))
        if "\n" not in text:
            assert shlex.split(shown)[1:] == run.words("-o", text)
        assert "\n" not in shown


@pytest.mark.parametrize("text", NASTY)
def test_no_text_is_more_than_a_value(told, text):
    run = wanted({"source": text, "recipe": "steady", "settings": {"start.source": text, "batch": text}, "name": "x"})
    source, recipe, settings, out = told(run.words("-o", "runs/x"))
    assert source == (f"./{text}" if text.startswith("-") else text)
    assert (recipe, str(out)) == ("steady", "runs/x")
    assert settings == {"start": {"source": text}, "batch": text}


@pytest.mark.parametrize("place", ["a.b", "loss"])
@pytest.mark.parametrize("value", VALUES)
def test_an_assignment_means_its_value(place, value):
    [inner] = parse_assignment(assignment(place, value)).values()
    inner = inner if place == "loss" else inner["b"]
    assert inner == value or (value == {"kind": "hinge"} and inner == "hinge")
    assert type(inner) is type(value) or inner == "hinge"


def test_the_shortest_form_is_chosen():
    settings = {"budget.images": "200k", "batch": 8, "loss": {"kind": "hinge"}, "runtime.device": "cpu"}
    settings |= {"networks.width": 32}
    said = "steadygan train photos --recipe dcgan --images 200k --batch 8 --device cpu"
    assert (
        line(WantedRun("photos", "dcgan", settings, "").words()) == f"{said} --set loss=hinge --set networks.width=32"
    )


@pytest.mark.parametrize(("place", "kind"), PARTS.items())
def test_a_part_named_by_its_kind_alone_is_understood_wherever_it_is_written_so(place, kind):
    config, part = CONFIGS["dcgan"], {"kind": kind}
    assert assignment(place, part) == f"{place}={kind}"
    assert override(config, {place: kind}) == override(config, {place: part})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "as an object"),
        ({"source": ""}, "data.source: name the images"),
        ({"source": 3}, "source: it is no text"),
        ({"source": "a\0b"}, "source: it is no text"),
        ({"source": "\ud800"}, "source: it is no text"),
        ({"source": "a" * 5000}, "source: it is no text"),
        ({"source": "a", "recipe": "mine.py:f"}, "recipe: choose one"),
        ({"source": "a", "recipe": "--debug x"}, "recipe: choose one"),
        ({"source": "a", "settings": []}, "settings: at most"),
        ({"source": "a", "settings": {"a b": 1}}, "there is no setting"),
        ({"source": "a", "settings": {"a=b": 1}}, "there is no setting"),
        ({"source": "a", "settings": {"__class__": 1}}, "there is no setting"),
        ({"source": "a", "settings": {"a": "x\0y"}}, "a: it is no value"),
        ({"source": "a", "settings": {"a": float("nan")}}, "a: it is no value"),
        ({"source": "a", "settings": dict.fromkeys(map("a{}".format, range(400)), 1)}, "settings: at most"),
    ],
)
def test_what_no_command_line_could_hold_is_refused_in_one_line(asked, said):
    with pytest.raises(ConfigError, match=said) as refused:
        wanted(asked)
    assert "\n" not in str(refused.value)


def test_a_text_may_hold_the_word_for_what_is_no_number():
    settings = {"start.source": "/runs/NaN or Infinity"}
    assert wanted({"source": "a", "settings": settings}).settings == settings


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", ".hidden", "..", "", "a\\b", "a\nb", "x" * 300])
def test_the_name_of_a_run_leads_nowhere_else(tmp_path, name):
    with pytest.raises(ConfigError, match=r"^out: "):
        folder_of(tmp_path, name)


def test_a_name_that_is_taken_is_told_and_the_next_free_one_is_offered(tmp_path):
    run = wanted({"source": "/photos/my cats.zip", "recipe": "dcgan"})
    assert free_name(tmp_path, run) == "dcgan-my cats-01"
    (tmp_path / "dcgan-my cats-01").mkdir()
    assert free_name(tmp_path, run) == "dcgan-my cats-02"
    assert folder_of(tmp_path, "dcgan-my cats-01").is_dir()
    (tmp_path / "dcgan-my cats-01" / "run.json").touch()
    with pytest.raises(ConfigError, match="there is a dcgan-my cats-01 already"):
        folder_of(tmp_path, "dcgan-my cats-01")
    for source in ("builtin:critters", "../..", "/", "hub:a/b?split=x", "...", "a\nb"):
        folder_of(tmp_path, free_name(tmp_path, wanted({"source": source})))


def test_a_limit_replaces_the_whole_budget_as_the_form_shows_it():
    config = CONFIGS["satellite"]
    assert override(config, whole({"budget": {"minutes": 3}})).budget.steps is None
