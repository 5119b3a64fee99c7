"""The command lines that belong to a run: what repeats it, and what is done with it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from steadygan.report.reading import Story
from steadygan.spec import LEAST_SCORED

_LIMITS = ("images", "steps", "minutes")
_PLAIN = {
    **{name: f"--{name}" for name in ("batch", "size")},
    **{f"runtime.{name}": f"--{name}" for name in ("device", "precision", "threads")},
}
"""Settings with an option of their own; `seed` and the budget are always said."""


def commands_of(story: Story) -> tuple[tuple[str, str], ...]:
    """(what it does, command), the one that repeats the run first."""
    run, recipe = shlex.quote(str(story.run.path.absolute())), _own_recipe(story)
    data = story.info.data
    scored = data.spec.size > 1 and data.held_out >= LEAST_SCORED
    longer = "" if story.unfinished else f" --images {2 * story.images}"
    return (
        (_what_repeats(story), repeating(story)),
        ("64 pictures of its best checkpoint", f"steadygan sample {run}{recipe} -n 64 -o samples.png"),
        ("go on training", f"steadygan resume {run}{recipe}{longer}"),
        ("its generator as one file", f"steadygan export {run}{recipe} -o generator.safetensors"),
        *(
            (("look for copies, and draw nearest.png", f"steadygan evaluate {run}{recipe} --metrics memorised"),)
            * scored
        ),
        ("write this page again", f"steadygan report {run}"),
    )


def repeating(story: Story) -> str:
    """The command that trains the same again, as far as it is known."""
    info, budget = story.info, story.info.config.get("budget")
    basis, begun = info.basis, story.settings.get("start.source")
    asked = basis.asked if basis else "" if begun else info.recipe
    limits = [f"--{name} {budget[name]}" for name in _LIMITS if budget.get(name)] if isinstance(budget, Mapping) else []
    words = [
        f"steadygan train {shlex.quote(info.data.source)}",
        *([f"--recipe {shlex.quote(asked)}"] if asked else []),
        *([f"--from {shlex.quote(str(begun))}"] if begun else []),
        *limits,
        f"--seed {info.seed}",
        *(_option(place, here) for place, here in _given(story).items()),
    ]
    return " ".join(words)


def _given(story: Story) -> dict[str, Any]:
    """Settings that were laid over the recipe; of a run that did not record them those that are most often."""
    if basis := story.info.basis:
        own = [place for place, (here, _) in basis.changed.items() if _is_own(here)]
        said = {"seed", *own, *(f"budget.{name}" for name in _LIMITS)}
        return {place: here for place, (here, _) in basis.changed.items() if place not in said}
    return {place: story.settings[place] for place in ("batch", "size") if story.settings.get(place) is not None}


def _what_repeats(story: Story) -> str:
    if story.info.basis is None:
        return "a run like this one (what was changed in its recipe is not recorded, but all settings are in run.json)"
    lacking = [place for place, (here, _) in story.info.basis.changed.items() if _is_own(here)]
    if lacking:
        return (
            f"a run like this one, without the objects of your own in {', '.join(lacking)}, which only Python can give"
        )
    return "repeat this run"


def _own_recipe(story: Story) -> str:
    """The option that brings back objects of the user's own."""
    if not _is_own(story.info.config):
        return ""
    basis = story.info.basis
    known = basis and (".py:" in basis.asked or basis.asked.endswith(".toml"))
    return f" --recipe {shlex.quote(basis.asked) if basis and known else 'FILE.py:FUNCTION'}"


def _is_own(tree: Any) -> bool:
    """Whether a dumped setting holds an object of the user's own."""
    if isinstance(tree, Mapping):
        return tree.get("kind") == "own" or any(map(_is_own, tree.values()))
    return isinstance(tree, list | tuple) and any(map(_is_own, tree))


def _option(place: str, value: Any) -> str:
    if place in _PLAIN and value is not None:
        return f"{_PLAIN[place]} {shlex.quote(str(value))}"
    return f"--set {shlex.quote(f'{place}={as_set(value)}')}"


def as_set(value: Any) -> str:
    """A value as `--set` reads it: a name as it is, all else as JSON."""
    name = isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w-]*", value)
    if name and value not in ("true", "false", "null", "nan", "inf", "NaN", "Infinity"):
        return str(value)
    return json.dumps(value, separators=(",", ":"))
