"""docs/techniques.md, docs/recipes.md and docs/rules.md say what the values say."""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from steadygan.config import merge, parse_assignment, read_toml, resolve, to_toml
from steadygan.objectives import Hinge
from steadygan.recipes import RECIPES, choose_recipe
from steadygan.recipes.pages import PAGES, changes, techniques_page, write
from steadygan.recipes.techniques import techniques
from steadygan.training.config import RunConfig

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_values_say(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8") if (DOCS / name).exists() else ""
    same = written == PAGES[name]()
    assert same, f"docs/{name} is out of date; run scripts/docs"


def test_a_changed_value_would_be_noticed(monkeypatch) -> None:
    before = techniques_page()
    monkeypatch.setattr(Hinge, "helps", "Never.")
    assert techniques_page() != before


def test_the_command_writes_the_pages(tmp_path) -> None:
    write(tmp_path)
    assert {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()} == {
        name: page() for name, page in PAGES.items()
    }


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_recipe_changes_is_the_whole_difference_from_the_defaults(name: str, tmp_path) -> None:
    config = choose_recipe(name)
    (tmp_path / "recipe.toml").write_text(to_toml(changes(config)), encoding="utf-8")
    assert resolve(RunConfig, read_toml(tmp_path / "recipe.toml")) == config
    assert f"## {name}\n" in PAGES["recipes.md"]()


def test_every_technique_has_its_section_and_no_line_opens_a_list_or_heading_by_chance() -> None:
    page = techniques_page()
    for entry in techniques():
        assert f"### `{entry.name}`" in page
        for line in entry.details.splitlines():
            assert not line.lstrip().startswith(("#", "- ", "* ", "+ ", "> ", "|")), line


def test_the_examples_at_the_top_of_the_page_work() -> None:
    lines = [line for line in techniques_page().splitlines() if line.startswith("steadygan train")]
    assert len(lines) == 2
    for line in lines:
        words = shlex.split(line)
        settings = [text for option, text in pairwise(words) if option == "--set"]
        config = resolve(RunConfig, merge({}, *map(parse_assignment, settings)))
        assert [penalty.kind for penalty in config.penalties] == ["r1"]
