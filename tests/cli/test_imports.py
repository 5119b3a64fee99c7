"""What each command loads: torch stays away until a command needs it, so that whatever only reads answers at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from steadygan.cli import bench
from steadygan.cli.main import app
from steadygan.records import Score, Tick, append
from steadygan.rundir import RunDir
from telling import telling
from tiny import draw

PARSER = {"annotated_doc", "click", "colorama", "rich", "shellingham", "typer", "typing_extensions"}
RECORDS = PARSER | {"annotated_types", "filelock", "pydantic", "pydantic_core", "typing_inspection"}
IMAGES = RECORDS | {"PIL", "cython_runtime", "numpy"}

NAMES = [entry.name or entry.callback.__name__ for entry in app.registered_commands]
BENCHES = [f"bench {entry.name or entry.callback.__name__}" for entry in bench.app.registered_commands]

WITHOUT_TORCH = {
    "note run text": RECORDS,
    "compare run run": RECORDS,
    "compare run run --json": RECORDS,
    "report run": IMAGES | {"jinja2", "markupsafe"},
    "doctor run": RECORDS | {"numpy"},
    "doctor log.csv --json": RECORDS | {"numpy"},
    "doctor --rules": RECORDS | {"numpy"},
    "prepare pictures -o set --size 16 --workers 0": IMAGES,
    "inspect set": IMAGES,
    "inspect pictures --json": IMAGES,
    "inspect set --html page.html": IMAGES | {"jinja2", "markupsafe"},
    "export set -o images": IMAGES,
    "--version": RECORDS,
    "--help": PARSER,
}
"""Command lines that load no torch, and the packages that each may load."""

MAY_LOAD_TORCH = {
    "train": "trains",
    "resume": "trains",
    "sample": "asks a generator",
    "project": "asks a generator",
    "serve-pictures": "asks a generator",
    "doctor": "audits networks, if asked about a recipe",
    "export": "asks a generator, unless it writes a data set",
    "evaluate": "asks a generator and measures",
    "probe": "asks both networks",
    "turing": "asks a generator, unless it says results",
    "ablate": "measures the base and trains",
    "study-job": "trains",
    "tune": "reads a recipe",
    "recipes": "the values of a recipe are the parts themselves",
    "techniques": "lists the parts themselves, with what their docstrings say",
    "cite": "asks the parts of a run for their papers",
    "studio": "serves until it is stopped, and is looked at elsewhere",
    **dict.fromkeys(BENCHES, "measures"),
}

SAID = """
import contextlib, io, json, sys
bare = set(sys.modules)
from steadygan.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
    for line in sys.argv[1:]:
        try:
            main(line.split())
        except SystemExit as end:
            assert not end.code, errors.getvalue()
{extra}
print(json.dumps(sorted(set(sys.modules) - bare)))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder of pictures, a set of them, and what a run writes."""
    world = tmp_path_factory.mktemp("world")
    draw(world / "pictures", 30)
    run = RunDir(world / "run")
    run.path.mkdir()
    spec = {"size": 16, "channels": 3}
    info = {"config": {"seed": 1}, "parameters": {"generator": 3}, "data": {"digest": "x", "spec": spec}}
    run.run_json.write_text(json.dumps(info))
    append(run.log, Tick(**{name: 1 for name, field in Tick.model_fields.items() if field.is_required()}))
    (world / "log.csv").write_text("step,loss_d,loss_g\n0,1.3,0.7\n")
    append(run.scores, Score(step=1, images=8, metric="fd", value=0.5, protocol="p"))
    loaded(world, "prepare pictures -o set --size 16 --workers 0")
    return world


def loaded(folder: Path, *lines: str, extra: str = "") -> list[str]:
    """The modules that a process loads in which these commands are run."""
    code = [sys.executable, "-c", SAID.format(extra=extra), *lines]
    done = subprocess.run(code, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def packages(modules: list[str]) -> set[str]:
    """Those that are neither Python's nor ours."""
    names = {module.partition(".")[0] for module in modules} - {"steadygan"} - set(sys.stdlib_module_names)
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize(
    "line", telling(WITHOUT_TORCH, "compare run run", "report run", "doctor run", "inspect pictures --json", "--help")
)
def test_a_command_that_needs_no_tensors_loads_no_torch_and_little_else(world, line):
    assert packages(loaded(world, line)) <= WITHOUT_TORCH[line]


def test_every_command_is_in_one_of_the_lists():
    assert {*NAMES, *BENCHES} == {line.split()[0] for line in WITHOUT_TORCH if line[0] != "-"} | {*MAY_LOAD_TORCH}


def test_the_help_of_no_command_loads_torch(world):
    lines = [f"{name} --help" for name in ("bench", *NAMES, *BENCHES)]
    assert packages(loaded(world, *lines)) <= RECORDS


def test_a_command_that_loaded_torch_would_be_noticed(world):
    assert "torch" in packages(loaded(world, "--help", extra="import steadygan.ops.images"))


def test_help_loads_little(world):
    assert len(loaded(world, "--help")) < 400, "about 150"
