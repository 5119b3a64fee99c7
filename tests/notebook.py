"""Executes a notebook as Jupyter does, in a process of its own: `python notebook.py FILE`, in the folder to run in.

A cell whose metadata name a file `until` is interrupted, as the button does, once that file is there.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient


class Interrupting(NotebookClient):
    """Presses the button."""

    def press(self, cell: nbformat.NotebookNode, **place: int) -> None:
        if awaited := cell.metadata.get("until"):
            threading.Thread(target=self._when_there_is, args=(Path(awaited),)).start()

    def _when_there_is(self, awaited: Path) -> None:
        while not awaited.exists():
            threading.Event().wait(0.05)
        os.kill(self.km.provisioner.pid, signal.SIGINT)


def execute(file: Path) -> None:
    """Execute all cells, those after a mistake too, and keep the outputs in the file."""
    notebook = nbformat.read(file, as_version=4)
    manager = AsyncKernelManager()
    manager.kernel_spec.argv[0] = sys.executable
    client = Interrupting(notebook, km=manager, allow_errors=True, startup_timeout=3000)
    client.on_cell_execute = client.press
    client.execute()
    nbformat.write(notebook, file)


if __name__ == "__main__":
    execute(Path(sys.argv[1]))
