"""A generator as a folder that the Hugging Face Hub takes as it is: weights, settings, samples and a page."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from steadygan.errors import ConfigError
from steadygan.export.forms import Output, Saved, compared
from steadygan.export.modelcard import SAMPLES, page
from steadygan.export.weights import exported, read_weights
from steadygan.rundir import atomic_folder, check_output
from steadygan.runs import Run
from steadygan.training.sampling import rows
from steadygan.visual.grid import save_picture
from steadygan.visual.points import picture

if TYPE_CHECKING:
    from steadygan.export.model import TrainedGenerator

_SHOWN = 36


def check_folder(out: Path, output: Output = "float32") -> None:
    """ConfigError, before any work, for a folder that holds something, and for what weights alone cannot give."""
    if output != "float32":
        raise ConfigError(f"--output {output}: a folder for the Hub holds weights alone; leave it out")
    check_output(out / SAMPLES)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--hub-folder {out}: that is not an empty folder; give a new one")


def save_folder(model: TrainedGenerator, out: Path, run: Run | None = None) -> Saved:
    """Write a new folder for the Hub, which `load` reads: config.json, model.safetensors, README.md and samples.png.

    README.md is a model card, filled from what the `run` wrote. Errors as `forms.save` and `check_folder`.
    """
    check_folder(out)
    with atomic_folder(out) as part:
        exported(model).write_folder(part)
        saved = compared(model, out, read_weights(model, part))
        shown = picture(rows(model.sample(_SHOWN)), classes=model.classes)
        save_picture(shown, part / SAMPLES)
        name = out.absolute().name
        (part / "README.md").write_text(page(model, run, name, saved.levels), encoding="utf-8")
    return saved


def upload(out: Path) -> str:
    """The command by which the user puts the folder on the Hub."""
    return f"hf upload USER/{shlex.quote(out.absolute().name)} {shlex.quote(str(out))}"
