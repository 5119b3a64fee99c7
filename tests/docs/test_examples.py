"""The example notebook works as it stands, and what Jupyter shows of it is what a newcomer would like to see."""

from __future__ import annotations

import ast
import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import steadygan as sg
from tiny import TINY, draw

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))
PNG = b"\x89PNG\r\n\x1a\n"
PLAYER = Path(__file__).parents[1] / "notebook.py"
CELLS = {
    "mistaken": ("sg.train('nowhere')", ""),
    "training": (
        "run = sg.train('photos', images=10**9, size=16, out='stopped', settings=SETTINGS)",
        "stopped/samples/000000064.png",
    ),
    "waiting": ("from threading import Event; open('waiting', 'w').close(); Event().wait()", "waiting"),
    "resuming": ("run = sg.resume('stopped', sg.Budget(images=sg.Run('stopped').log()[-1].images + 16))", ""),
    "run": ("run", ""),
    "sampled": ("sg.load(run).sample(4)", ""),
}
"""Cells by name, and the file at whose sight they are interrupted, if any."""


def read(file: Path) -> nbformat.NotebookNode:
    return nbformat.read(file, as_version=4)


def code(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_is_kept_without_outputs_and_with_public_names_only(file):
    notebook = read(file)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in cells if cell.outputs or cell.execution_count] == []
    names = {
        node.attr
        for source in code(notebook)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sg"
    }
    assert names <= set(dir(sg))
    assert {"train", "load", "evaluate", "diagnose", "resume"} <= names


def played(folder: Path, notebook: nbformat.NotebookNode) -> dict[str, list[nbformat.NotebookNode]]:
    """What each cell shows in a folder with photos, by its name or else by the first words of its code."""
    draw(folder / "photos", 170)
    nbformat.write(notebook, folder / "cells.ipynb")
    homes = {name: str(folder / name) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR")}
    subprocess.run([sys.executable, PLAYER, "cells.ipynb"], cwd=folder, env={**os.environ, **homes}, check=True)
    cells = [cell for cell in read(folder / "cells.ipynb").cells if cell.cell_type == "code"]
    return {cell.metadata.get("name", re.split(r"[(\n]", cell.source)[0]): cell.outputs for cell in cells}


def small(images: int) -> str:
    """The cell of the parameters."""
    return f"SOURCE, SIZE, IMAGES, SETTINGS = 'photos', 16, {images}, {TINY!r}"


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    cells = [new_code_cell(f"import steadygan as sg\n{small(64)}")]
    cells += [new_code_cell(source, metadata={"name": name, "until": until}) for name, (source, until) in CELLS.items()]
    return played(tmp_path_factory.mktemp("cells"), new_notebook(cells=cells))


def pictures(html: str) -> list[bytes]:
    return [base64.b64decode(found) for found in re.findall(r'src="data:image/png;base64,([^"]+)"', html)]


def html(outputs: list[nbformat.NotebookNode]) -> list[str]:
    return [output.data["text/html"] for output in outputs if "data" in output]


@pytest.mark.slow
def test_cells_fail_only_where_they_should_and_no_warning_stands_among_the_outputs(outputs):
    failed = [name for name, found in outputs.items() if any(one.output_type == "error" for one in found)]
    assert failed == ["mistaken", "training", "waiting"]
    assert [one for found in outputs.values() for one in found if one.output_type == "stream"] == []


@pytest.mark.slow
def test_training_leaves_what_it_said_and_one_card_instead_of_a_growing_output(outputs):
    prepared, said, card = html(outputs["training"])
    assert "preparing images: 170 of 170" in prepared
    assert "float32" in said
    assert "<progress" not in prepared + said
    assert card.count("<svg") >= 2
    assert "stopped on request after" in card
    assert [it[:8] for it in pictures(card)] == [PNG]
    assert len(html(outputs["resuming"])) == 2
    assert html(outputs["resuming"])[-1] == html(outputs["run"])[0]
    assert "finished after" in html(outputs["run"])[0]


@pytest.mark.slow
def test_sampled_pictures_show_themselves(outputs):
    [shown] = outputs["sampled"]
    assert base64.b64decode(shown.data["image/png"])[:8] == PNG
    assert shown.data["text/plain"].startswith("tensor(")


@pytest.mark.slow
def test_a_mistake_is_one_line_without_a_traceback(outputs):
    [error] = outputs["mistaken"]
    assert error.ename == "ConfigError"
    [line] = error.traceback
    assert "there is no file or folder" in line
    assert "\n" not in line


@pytest.mark.slow
def test_interrupting_the_cell_saves_and_says_in_a_line_how_to_go_on(outputs):
    error = outputs["training"][-1]
    assert error.ename == "Interrupted"
    [line] = error.traceback
    assert re.search(r"stopped after [\d,]+ images, all saved; continue with `sg.resume\('stopped'\)`$", line)


@pytest.mark.slow
def test_after_an_interrupted_training_the_kernel_is_interrupted_as_before(outputs):
    assert outputs["waiting"][-1].ename == "KeyboardInterrupt"


@pytest.mark.slow
def test_the_example_works_from_images_to_a_resumed_run(tmp_path):
    [example] = EXAMPLES
    notebook = read(example)
    [parameters] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    parameters.source = small(64)
    outputs = played(tmp_path, notebook)
    kinds = {one.output_type for found in outputs.values() for one in found}
    assert kinds <= {"display_data", "execute_result", "stream"}
    [images] = html(outputs["images = sg.prepare"])
    assert "170 images" in images
    assert len(pictures(images)) == 1
    assert "finished after 64 images" in html(outputs["run = sg.train"])[-1]
    [scores] = html(outputs["scores = sg.evaluate"])
    assert scores.count("<tr") == 1 + 3
    assert "reals score" in scores
    assert [name for name, found in outputs.items() if any("image/png" in it.get("data", {}) for it in found)] == [
        "generator = sg.load",
        "import torch",
        "generator.save",
    ]
    assert "finished after 128 images" in html(outputs["run = sg.resume"])[-1]
