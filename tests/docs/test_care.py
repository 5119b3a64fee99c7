"""What docs/care.md says of settings, rules and commands is so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel

from steadygan.care import Continue, Keep, RollBack, Stop, Treat
from steadygan.errors import Diverged
from steadygan.training.changing import beside, movable
from steadygan.training.config import RunConfig

PAGE = (Path(__file__).parents[2] / "docs" / "care.md").read_text(encoding="utf-8")


def _places(declared: Callable[[RunConfig, str], bool], value: BaseModel, above: str = "") -> Iterator[str]:
    """The settings that are declared to be so, the group where a whole one is."""
    for name in type(value).model_fields:
        place, inner = f"{above}{name}", getattr(value, name)
        if declared(RunConfig(), place):
            yield place
        elif isinstance(inner, BaseModel):
            yield from _places(declared, inner, f"{place}.")


def test_the_table_of_what_may_change_is_what_the_settings_declare():
    section = PAGE.partition("## What may change in the middle")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([\w.]+)`", row)} == {*_places(movable, RunConfig())}
    told = re.search(r"You may change between.*?: (.*?)\. No", section, flags=re.DOTALL)
    assert told
    assert {*re.findall(r"`([\w.]+)`", told[1])} == {*_places(beside, RunConfig())}


def test_every_setting_of_care_is_on_the_page_with_its_default():
    for name in {*Treat.model_fields} - {"kind", "stop", "lr_factor", "set_backs", "tries"}:
        assert f"`care.{name}`, {Treat.model_fields[name].default:g}," in PAGE
    assert all(f"`care.{name}`, {word}" in PAGE for name, word in (("lr_factor", "a third"), ("tries", "six")))
    assert "`care.set_backs` times, five" in PAGE
    assert (Keep().lr_factor, Keep().set_backs, Keep().stop, Treat().tries) == (1 / 3, 5, True, 6)
    assert RunConfig().care == Keep()


def test_every_act_is_named_and_the_exit_code_of_watching_is_right():
    assert all(f"`{act.rule}`" in PAGE for act in (Continue, Stop, RollBack))
    assert f"ends the run with exit code {Diverged.exit_code}" in PAGE
