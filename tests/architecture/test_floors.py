"""The house: every room stands on a floor and imports only from floors below it in number."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "steadygan"

FLOORS = {
    **dict.fromkeys(("errors", "names", "part", "places", "version", "spec", "schedule", "config"), 0),
    **dict.fromkeys(("rundir", "records", "runs", "claim", "terminal", "cards"), 0),
    **dict.fromkeys(("ops", "doctor", "care", "visual", "report", "turing"), 1),
    **dict.fromkeys(("data", "networks", "objectives", "augment", "metrics", "features"), 2),
    **dict.fromkeys(("scoring", "signals"), 3),
    "training": 4,
    "recipes": 5,
    **dict.fromkeys(("export", "web"), 6),
    "studies": 7,
    "cli": 8,
    "__main__": 9,
}
FOR_EVERYONE = {"errors", "names", "part"}
NEIGHBOURS = {
    ("records", "rundir"): "records are lines, and rundir is how a line gets into a file",
    ("runs", "cards"): "a run shows itself in a notebook",
    ("runs", "rundir"): "a run is a folder, and its methods write into it",
    ("runs", "records"): "a run gives its records",
    ("runs", "spec"): "run.json holds the form of the images",
    ("runs", "config"): "run.json holds all settings, by their places",
    ("care", "doctor"): "care acts on what the doctor finds",
    ("report", "visual"): "a report has the panels of curves.png",
    ("report", "doctor"): "a report says what the doctor answers",
    ("report", "care"): "a report says whether care ended the run",
    ("claim", "rundir"): "a claim is of a run folder, and fails as other writing does",
}
ROW_ZERO_AND_ONE_ONLY = {"doctor", "care", "visual", "report", "turing", "web"}
WITHOUT_TORCH = {room for room, floor in FLOORS.items() if floor == 0} | ROW_ZERO_AND_ONE_ONLY
LOADED_WITHOUT_TORCH = WITHOUT_TORCH | {"cli", "data"}
NEEDS_TORCH_IN_DATA = {"steadygan.data.loader"}

FILES = sorted(SOURCE.rglob("*.py"))


def room_of(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


@cache
def imported(code: str) -> set[str]:
    """Full names of all imported modules, at any depth of the code; `from a import b` counts as a.b."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def forbidden(room: str, code: str) -> list[str]:
    """What a file of this room imports and must not."""
    rooms = {name: name.split(".")[1] for name in imported(code) if name.startswith("steadygan.")}
    wrong = [name for name, other in rooms.items() if other != room and not may_import(room, other)]
    return sorted(wrong + [name for name in imported(code) if name.startswith(".") or name == "steadygan"])


def may_import(room: str, other: str) -> bool:
    if other in FOR_EVERYONE or (room, other) in NEIGHBOURS:
        return True
    if room in ROW_ZERO_AND_ONE_ONLY and FLOORS.get(other, 9) > 1:
        return False
    return FLOORS.get(other, 9) < FLOORS[room]


def first_to_load_torch(modules: list[str]) -> str:
    """Import modules one after another in a fresh interpreter; the first after which torch is there, or ''."""
    code = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
    if "torch" in sys.modules:
        print(name)
        break
"""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_every_file_imports_only_from_its_floor_down() -> None:
    broken = {}
    for file in FILES:
        room = room_of(file)
        if room == "__init__":
            continue  # the public names, loaded when first used; test_surface looks at it
        assert room in FLOORS, f"{file.name} has no floor; add its room to FLOORS or move it into one"
        if found := forbidden(room, file.read_text(encoding="utf-8")):
            broken[str(file.relative_to(SOURCE))] = found
    assert broken == {}


@pytest.mark.parametrize(
    ("room", "code"),
    [
        ("ops", "from steadygan.training.game import Game"),
        ("networks", "from steadygan.objectives import Hinge"),
        ("visual", "def f():\n    from steadygan import data"),
        ("visual", "from steadygan.ops import images"),
        ("web", "import steadygan.training.run"),
        ("rundir", "from steadygan.records import Tick"),
        ("training", "from steadygan import Game"),
        ("training", "from . import loop"),
        ("training", "import steadygan"),
        ("training", "from steadygan.utils import everything"),
    ],
)
def test_an_import_against_the_direction_is_seen(room: str, code: str) -> None:
    assert forbidden(room, code)


@pytest.mark.parametrize(
    ("room", "code"),
    [
        ("training", "from steadygan.ops.images import to_uint8"),
        ("ops", "from steadygan.errors import ConfigError"),
        ("records", "from steadygan.rundir import append_line"),
        ("training", "from steadygan.training.seams import Turns"),
        ("cli", "import torch, steadygan.web.server"),
    ],
)
def test_an_import_along_the_direction_is_allowed(room: str, code: str) -> None:
    assert forbidden(room, code) == []


def test_a_room_without_tensors_never_mentions_torch() -> None:
    files = [file for file in FILES if room_of(file) in WITHOUT_TORCH]
    packages = {file: {name.split(".")[0] for name in imported(file.read_text(encoding="utf-8"))} for file in files}
    tensors = {"torch", "accelerate", "safetensors"}
    assert [str(file.relative_to(SOURCE)) for file, names in packages.items() if names & tensors] == []


def test_rooms_without_tensors_and_the_command_line_load_no_torch() -> None:
    modules = [module_of(file) for file in FILES if room_of(file) in LOADED_WITHOUT_TORCH]
    assert first_to_load_torch(sorted(set(modules) - NEEDS_TORCH_IN_DATA)) == ""


def test_loading_torch_would_be_noticed() -> None:
    assert first_to_load_torch(["steadygan.records", "steadygan.ops.images"]) == "steadygan.ops.images"
