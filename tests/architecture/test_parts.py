"""A new part is written in one file: one test says where it lacks something else, and no two classes share a name."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal

import steadygan
from steadygan.augment import AnyShow
from steadygan.features import AnyFeatures
from steadygan.networks import AnyNetworks
from steadygan.objectives import AnyGeneratorTerm, AnyLoss, AnyPenalty
from steadygan.part import Part
from steadygan.recipes.papers import PAPERS
from steadygan.recipes.techniques import GROUPS, members
from steadygan.schedule import AnySchedule
from steadygan.scoring import Metric
from steadygan.scoring.metrics import AnyMetric

PROJECT = Path(__file__).resolve().parents[2]
SOURCE = PROJECT / "src" / "steadygan"
FILES = sorted(SOURCE.rglob("*.py"))
SCORES = (PROJECT / "docs" / "scores.md").read_text(encoding="utf-8")
PAGE = (PROJECT / "docs" / "techniques.md").read_text(encoding="utf-8")
EXPLAINED = {part for group in GROUPS for part in members(group.choices)}
CHOSEN = EXPLAINED | {*members(AnyMetric), *members(AnyFeatures)}
TESTED = {  # where the tables stand that hold each of a union against an independent truth
    "reference/test_losses.py": members(AnyLoss),
    "reference/test_penalties.py": members(AnyPenalty),
    "reference/test_terms.py": members(AnyGeneratorTerm),
    "tiny_recipes.py": members(AnyNetworks),
    "unit/augment/test_show.py": members(AnyShow),
    "unit/features/test_extractors.py": members(AnyFeatures),
    "unit/networks/test_networks.py": members(AnyNetworks),
    "unit/scoring/test_judge.py": members(AnyMetric),
    "unit/test_schedule.py": members(AnySchedule),
}


def parts(base: type[Part] = Part) -> Iterator[type[Part]]:
    """Every part with a kind that stands in the source."""
    for part in base.__subclasses__():
        if part.__module__.startswith("steadygan.") and "kind" in part.model_fields:
            yield part
        yield from parts(part)


@cache
def text_of(tests: Path) -> str:
    """A file of tests, or all of a folder."""
    return "\n".join(f.read_text(encoding="utf-8") for f in (tests.rglob("*.py") if tests.is_dir() else [tests]))


def lacks(part: type[Part]) -> list[str]:
    """What a part still needs, and where."""
    name, kind = part.__name__, part.model_fields["kind"].default
    home = f"src/{part.__module__.replace('.', '/')}.py"
    says = part.off or issubclass(part, Metric) or all(text.endswith(".") for text in (part.helps, part.hurts))
    needs = {
        f"{home}: no union of choices, here or in its room, has it": part in CHOSEN,
        f"{home}: no `__all__`, here or in its room, makes it steadygan.{name}": getattr(steadygan, name, None) is part,
        f"{home}: no sentences say when it `helps` and when it `hurts`": says,
        f"src/steadygan/recipes/papers.py: {part.paper}": not part.paper or part.paper in PAPERS,
        "docs/scores.md: a line in the table of metrics": not issubclass(part, Metric) or f"`{kind}`" in SCORES,
        "docs/techniques.md: run scripts/docs": part not in EXPLAINED or f"### `{kind}`" in PAGE,
    }
    for file in [file for file, tested in TESTED.items() if part in tested] or ["unit"]:
        needs[f'tests/{file}: neither {name} nor "{kind}" is tested'] = bool(
            re.search(rf'\b{name}\b|"{kind}"', text_of(PROJECT / "tests" / file))
        )
    return [place for place, there in needs.items() if not there]


def test_every_part_is_everywhere() -> None:
    for file in FILES:
        if file.name != "__main__.py":
            importlib.import_module(".".join(file.relative_to(SOURCE.parent).with_suffix("").parts))
    lacking = {part.__name__: found for part in parts() if (found := lacks(part))}
    assert not lacking, "\n".join(f"{name} lacks\n  " + "\n  ".join(places) for name, places in lacking.items())


class Halfway(Part):
    """A part that is nowhere yet."""

    paper: ClassVar[str] = "arXiv:0000.00000"
    kind: Literal["half_way"] = "half_way"


def test_all_that_a_new_part_lacks_is_said_at_once() -> None:
    places = [place.partition(":")[0] for place in lacks(Halfway)]
    file = f"src/{__name__.replace('.', '/')}.py"
    assert places == [file, file, file, "src/steadygan/recipes/papers.py", "tests/unit"]


def namesakes() -> dict[str, list[str]]:
    """Names of classes that stand in more than one place, and where."""
    found: dict[str, list[str]] = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(f"{file.relative_to(SOURCE)}:{node.lineno}")
    return {name: places for name, places in found.items() if len(places) > 1}


def test_two_classes_never_share_a_name() -> None:
    assert namesakes() == {}
