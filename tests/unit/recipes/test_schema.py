"""The schema that forms are made of: it knows every setting of every recipe."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from steadygan.config import parse_assignment
from steadygan.errors import ConfigError
from steadygan.recipes.schema import all_recipes, one_recipe
from steadygan.training.changing import override
from steadygan.training.config import RunConfig

FOUND = all_recipes()
DEFS = FOUND.json_schema["$defs"]


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    return {**DEFS[node["$ref"].rpartition("/")[2]], **node} if "$ref" in node else node


def choices(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The ways that a node leaves, each without references."""
    node = resolved(node)
    ways = node.get("oneOf") or node.get("anyOf")
    return [way for one in ways for way in choices(one)] if ways else [node]


TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}


def allows(node: dict[str, Any], value: Any) -> bool:
    """Whether a node has a way for a value, all that is in it included."""
    return any(_allows(way, value) for way in choices(node))


def _allows(way: dict[str, Any], value: Any) -> bool:
    if isinstance(value, dict):
        known = way.get("properties", {})
        kind = known.get("kind", {}).get("const")
        if way.get("type") != "object" or kind not in (None, value.get("kind")):
            return False
        return all(name in known and allows(known[name], inner) for name, inner in value.items())
    if isinstance(value, list):
        items = way.get("prefixItems") or [way.get("items", {})] * len(value)
        return way.get("type") == "array" and all(map(allows, items, value))
    if "enum" in way or "const" in way:
        return value in way.get("enum", [way.get("const")])
    return isinstance(value, TYPES.get(way["type"], ()))


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        place = f"{path}.{name}".lstrip(".")
        if isinstance(value, dict) and value:
            yield from leaves(value, place)
        else:
            yield place, value


@pytest.mark.parametrize("entry", FOUND.recipes, ids=lambda entry: entry.name)
def test_the_schema_knows_every_setting_of_every_recipe(entry):
    assert allows(FOUND.json_schema, entry.config)


def test_a_setting_that_there_is_not_and_a_value_of_another_kind_would_be_seen():
    config = FOUND.recipes[0].config
    assert not allows(FOUND.json_schema, {**config, "bacth": 3})
    assert not allows(FOUND.json_schema, {**config, "batch": "many"})
    assert not allows(FOUND.json_schema, {**config, "loss": {"kind": "hinge", "flip": 0.1}})
    assert not allows(FOUND.json_schema, {**config, "penalties": [{"kind": "hinge"}]})


@pytest.mark.parametrize("entry", FOUND.recipes, ids=lambda entry: entry.name)
def test_every_leaf_can_be_set_to_what_it_is(entry):
    config = RunConfig.model_validate(entry.config)
    assert config.dump() == entry.config
    layers = [parse_assignment(f"{place}={json.dumps(value)}") for place, value in leaves(entry.config)]
    assert len(layers) > 50
    assert override(config, *layers) == config
    for layer in layers[::7]:
        assert override(config, layer) == config


def test_what_the_values_say_of_themselves_is_there():
    hinge, adam, budget = DEFS["Hinge"], DEFS["Adam"], DEFS["Budget"]
    assert hinge["helps"]
    assert hinge["hurts"]
    assert adam["properties"]["beta1"]["range"] == "number, 0 or more, less than 1"
    assert adam["properties"]["lr"]["range"] == "number or schedule, more than 0"
    assert budget["description"].startswith("How long to train.")
    assert all(node.get("description") for name, node in DEFS.items()), "a value without a docstring"


def test_a_recipe_says_its_sources():
    entry = {entry.name: entry for entry in FOUND.recipes}["r3gan"]
    assert ("arXiv:2501.05441" in entry.details) == any("2501.05441" in address for _, address in entry.sources)
    assert entry.sources
    assert FOUND.default == "steady"


def test_one_recipe_is_the_same_as_among_all(tmp_path):
    one = one_recipe("wgan-gp")
    assert one.model_dump(exclude={"json_schema"}) in [entry.model_dump() for entry in FOUND.recipes]
    assert one.json_schema == FOUND.json_schema
    file = tmp_path / "mine.toml"
    file.write_text('recipe = "dcgan"\nbatch = 12\n')
    mine = one_recipe(str(file))
    assert mine.config["batch"] == 12
    with pytest.raises(ConfigError, match="did you mean 'steady'"):
        one_recipe("stedy")


@pytest.mark.slow
def test_the_command_prints_it_and_nothing_else():
    made = subprocess.run([sys.executable, "-m", "steadygan", "recipes", "--json"], capture_output=True, check=True)
    assert json.loads(made.stdout) == json.loads(FOUND.model_dump_json())
