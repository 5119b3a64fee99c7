"""The table of the 39 mistakes says what is there."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer

from steadygan.cli.main import app
from steadygan.config import parse_assignment
from steadygan.doctor.audit import RULES
from steadygan.doctor.audit.mistakes import MISTAKES, Mistake
from steadygan.doctor.rules import RULES as OF_RUNS
from steadygan.recipes import choose_recipe
from steadygan.training.changing import override

COMMANDS = typer.main.get_command(app).commands
OFFERED = sorted({way for it in MISTAKES for way in it.offered})
OF_TRAIN = {name for parameter in COMMANDS["train"].params for name in parameter.opts}


def command(words: list[str]) -> None:
    """Fails with a KeyError where there is no such command."""
    known = COMMANDS
    for word in words:
        known = getattr(known[word], "commands", {})


def test_there_are_39_and_each_is_met_somehow() -> None:
    assert [it.number for it in MISTAKES] == list(range(1, 40))
    for it in MISTAKES:
        assert it.what
        assert any([it.audit, it.run, it.prevented, it.offered])


def test_rules_of_the_audit_are_there() -> None:
    assert {name for it in MISTAKES for name in it.audit} <= {rule.id for rule in RULES}


def test_rules_of_a_run_are_there_and_none_has_the_name_of_one_of_the_audit() -> None:
    known = {rule.id for rule in OF_RUNS}
    assert {name for it in MISTAKES for name in it.run} <= known
    assert not known & {rule.id for rule in RULES}


@pytest.mark.parametrize("way", OFFERED)
def test_what_is_offered_is_there(way: str) -> None:
    words = shlex.split(way)
    if words[0] == "steadygan":
        command(words[1:])
    elif words[0] == "--set":
        override(choose_recipe("dcgan"), parse_assignment(words[1]))
    else:
        assert words[0] in OF_TRAIN


def test_what_is_not_there_would_be_noticed() -> None:
    with pytest.raises(KeyError):
        command(["bench", "nothing"])
    assert "--nothing" not in OF_TRAIN


@pytest.mark.parametrize("it", MISTAKES, ids=lambda it: str(it.number))
def test_a_rule_that_names_a_mistake_is_named_by_it(it: Mistake) -> None:
    """A rule whose source is mistake N stands in the row of mistake N."""
    for rule in RULES:
        named = rule.source.partition("Fake satellite images, mistake")[2].partition(";")[0].lstrip("s")
        numbers = named.replace(",", " ").replace("and", " ").split()
        if str(it.number) in numbers:
            assert rule.id in it.audit, rule.id


def test_the_page_is_in_the_docs() -> None:
    assert "norm-in-generators-last-layer" in (Path(__file__).parents[2] / "docs" / "doctor-mistakes.md").read_text()
