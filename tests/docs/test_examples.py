"""The example notebook works as it stands, and what Jupyter shows of it is what a newcomer would like to see."""

from __future__ import annotations

import ast
import base64
import re
import sys
import threading
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

import steadygan as sg
from tiny import TINY, draw

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))
PNG = b"\x89PNG\r\n\x1a\n"
AFTERWARDS = {
    "mistaken": "sg.train('nowhere')",
    "training": "sg.train('photos', images=10**9, size=16, out='stopped', settings=SETTINGS)",
    "waiting": "from threading import Event; open('waiting', 'w').close(); Event().wait()",
    "resuming": "sg.resume(sg.Run('stopped'), sg.Budget(images=sg.Run('stopped').log()[-1].images + 16))",
}
INTERRUPTED = {"training": "stopped/samples/000000064.png", "waiting": "waiting"}
"""Cells that are interrupted as soon as there is this file."""


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


class Interrupting(NotebookClient):
    """Interrupts cells, as the button of a notebook does."""

    def __init__(self, notebook: nbformat.NotebookNode, folder: Path, manager: KernelManager) -> None:
        super().__init__(notebook, km=manager, allow_errors=True, startup_timeout=3000)
        self.resources = {"metadata": {"path": str(folder)}}
        self.on_cell_execute = lambda cell, cell_index: threading.Thread(target=self.stop, args=(cell, folder)).start()

    def stop(self, cell: nbformat.NotebookNode, folder: Path) -> None:
        if awaited := INTERRUPTED.get(cell.metadata.get("name", "")):
            while not (folder / awaited).exists():
                threading.Event().wait(0.05)
            self.km.interrupt_kernel()


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What each cell shows, of the example and of those afterwards, by the first words of its code or by its name."""
    folder = tmp_path_factory.mktemp("notebook")
    draw(folder / "photos", 170)
    [example] = EXAMPLES
    notebook = read(example)
    [parameters] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    parameters.source = f"SOURCE, SIZE, MINUTES, SETTINGS = 'photos', 16, 0.01, {TINY!r}"
    notebook.cells += [new_code_cell(source, metadata={"name": name}) for name, source in AFTERWARDS.items()]
    manager = KernelManager()
    manager.kernel_spec.argv[0] = sys.executable
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR"):
            patch.setenv(name, str(folder / name.lower()))
        Interrupting(notebook, folder, manager).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {cell.metadata.get("name", re.split(r"[(\n]", cell.source)[0]): cell.outputs for cell in cells}


def pictures(html: str) -> list[bytes]:
    return [base64.b64decode(found) for found in re.findall(r'src="data:image/png;base64,([^"]+)"', html)]


def html(outputs: list[nbformat.NotebookNode]) -> list[str]:
    return [output.data["text/html"] for output in outputs if "data" in output]


def test_every_cell_of_the_example_works(outputs):
    failed = [name for name, found in outputs.items() if any(one.output_type == "error" for one in found)]
    assert failed == ["mistaken", "training", "waiting"]
    assert [one for found in outputs.values() for one in found if one.get("name") == "stderr"] == []


def test_training_leaves_a_grid_and_curves_in_place_instead_of_a_growing_output(outputs):
    said, card = html(outputs["run = sg.train"])
    assert "float32" in said
    assert "<progress" not in said
    assert card.count("<svg") >= 2
    assert "finished after" in card
    assert [it[:8] for it in pictures(card)] == [PNG]


def test_a_data_set_its_scores_and_a_run_show_themselves(outputs):
    [images] = html(outputs["images = sg.prepare"])
    assert "170 images" in images
    assert "held out" in images
    assert len(pictures(images)) == 1
    [scores] = html(outputs["scores = sg.evaluate"])
    assert scores.count("<tr") == 1 + 3
    assert "reals score" in scores
    assert html(outputs["run = sg.resume"])[-1].count("<tr") > 1


def test_sampled_pictures_show_themselves(outputs):
    [shown] = outputs["generator = sg.load"]
    assert base64.b64decode(shown.data["image/png"])[:8] == PNG
    assert shown.data["text/plain"].startswith("tensor(")


def test_a_mistake_is_one_line_without_a_traceback(outputs):
    [error] = outputs["mistaken"]
    assert error.ename == "ConfigError"
    [line] = error.traceback
    assert "there is no file or folder" in line
    assert "\n" not in line


def test_interrupting_the_cell_saves_and_says_in_a_line_how_to_go_on(outputs):
    *shown, error = outputs["training"]
    assert [it[:8] for it in pictures(html(shown)[-1])] == [PNG]
    assert error.ename == "Interrupted"
    [line] = error.traceback
    assert re.search(r"stopped after [\d,]+ images, all saved; continue with `sg.resume\('stopped'\)`$", line)


def test_after_an_interrupted_training_the_kernel_is_interrupted_as_before_and_the_run_goes_on(outputs):
    assert outputs["waiting"][-1].ename == "KeyboardInterrupt"
    assert "finished after" in html(outputs["resuming"])[-1]
