"""A generator as one HTML file that makes pictures in any browser, without a server and without a net."""

from __future__ import annotations

import re
from json import loads
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from steadygan.errors import ConfigError, DataError
from steadygan.export.compiling import compiled
from steadygan.export.directions import directions
from steadygan.export.model import TrainedGenerator
from steadygan.export.packing import Packed, packed, unpacked
from steadygan.export.program import Program, levels_of
from steadygan.names import shown
from steadygan.report.document import as_json, document
from steadygan.report.scores import curves_of
from steadygan.rundir import atomic_path
from steadygan.runs import Run
from steadygan.version import __version__

_MOST = 1.2
"""Of 255 levels, before rounding, of the pictures checked: of 400 others of four runs the worst was 1.5 levels off, so
that whole levels differ by 2 at most.
"""
_BITS = (6, 7, 8, 9, 10)
_CHANNELS = {1: "grey", 2: "grey with alpha", 3: "colour", 4: "colour with alpha"}


class SavedPage(NamedTuple):
    """A page that was written, and by how much its pictures differ from PyTorch's at most, of 255 levels."""

    path: Path
    levels: float

    def __str__(self) -> str:
        return f"read again: at most {self.levels:.2g} of 255 levels from PyTorch's pictures"


def save_page(model: TrainedGenerator, out: Path, run: Run | None = None) -> SavedPage:
    """Write a page that makes this generator's pictures in a browser; with its run, the scores are in it, too.

    Weights are rounded as far as 16 to 32 pictures stay within 1.2 levels of PyTorch's, found out with the file as it
    was written. ConfigError for points, for more than 4 channels and for a generator that does what no page can;
    DataError, and no file, if the page would make other pictures.
    """
    spec = model.spec
    if spec.size == 1 or spec.channels not in _CHANNELS:
        raise ConfigError(f"-o {out}: a page shows pictures of 1 to 4 channels, not {spec}; write FILE.safetensors")
    try:
        program = compiled(model.generator, model.latent_dim, model.classes)
    except ConfigError as problem:
        raise ConfigError(f"-o {out}: {problem}; write FILE.safetensors") from problem
    ways = directions(program, model.latents(4, seed=1))
    count = 32 if spec.size <= 64 else 16
    latents, labels = model.latents(count), model.labels(range(count))
    with torch.inference_mode():
        wanted = torch.cat(
            [levels_of(model(latents[at : at + 1], *(one[at : at + 1] for one in labels))) for at in range(count)]
        )
    classes = labels[0].tolist() if labels else [0] * count
    with atomic_path(out) as part:
        for rounded in (*(program.rounded(bits) for bits in _BITS), program):
            part.write_text(render(model, rounded, ways, run), encoding="utf-8")
            apart = _difference(read_page(part), latents, classes, wanted)
            if apart <= _MOST:
                return SavedPage(out, apart)
        raise DataError(
            f"{out} was not written: read again, its pictures differ from PyTorch's by {apart:.3g} of 255 levels; at "
            f"most {_MOST} would be from rounding. Do they depend on more than their latents?"
        )


def _difference(program: Program, latents: Tensor, labels: list[int], wanted: Tensor) -> float:
    with torch.inference_mode():
        made = levels_of(program.run(latent, label) for latent, label in zip(latents, labels, strict=True))
    if made.shape != wanted.shape:
        return float("inf")
    return float((made - wanted).abs().nan_to_num(float("inf")).max())


def read_page(file: Path) -> Program:
    """The program in a page that `save_page` wrote."""
    text = file.read_text(encoding="utf-8")
    data, weights = (re.search(rf'id="{name}">([^<]*)<', text) for name in ("data", "weights"))
    if not data or not weights:
        raise DataError(f"{file} is not a page with a generator")
    return unpacked(Packed(loads(data[1])["program"], weights[1]))


def render(model: TrainedGenerator, program: Program, ways: Tensor, run: Run | None = None) -> str:
    """The page as text."""
    name, weights = shown(str(model.about.get("run", "") or "generator")), packed(program)
    data = {
        "name": name,
        "size": model.spec.size,
        "channels": model.spec.channels,
        "classes": [shown(label) for label in model.class_names[: model.classes]],
        "latent": {"dim": model.latent_dim, "kind": model.latent.kind},
        "directions": [[round(x, 5) for x in row] for row in ways.tolist()],
        "program": weights.program,
    }
    return document(
        "export",
        ("report/base.css", "generator.css"),
        ("engine.js", "latents.js", "gif.js", "generator.js"),
        "worker-src blob:; ",
        name=name,
        spec=model.spec,
        classes=data["classes"],
        facts=_facts(model, program, run),
        scores=_scores(model, run),
        version=__version__,
        data=as_json(data),
        weights=weights.weights,
    )


def _facts(model: TrainedGenerator, program: Program, run: Run | None) -> list[tuple[str, str]]:
    """(label, text) of what is known; names in place of paths, which are nobody else's business."""
    about, data = model.about, run.info().data if run else None
    weights = sum(one.numel() for one in program.constants)
    found: dict[str, Any] = {
        "Pictures": f"{model.spec.size} × {model.spec.size} pixels, {_CHANNELS[model.spec.channels]}",
        "Classes": f"{model.classes}: {', '.join(model.class_names)}" if model.classes else "",
        "Trained on": f"{Path(data.source).name}, {data.training:,} images" if data else "",
        "Licence of the images": about.get("license", ""),
        "Images seen": f"{about['images']:,}" if isinstance(about.get("images"), int) else "",
        "Recipe": about.get("recipe", ""),
        "Began with": str(about["start"].get("source", "")) if isinstance(about.get("start"), dict) else "",
        "Numbers in the page": f"{weights:,}, from {model.latent_dim} in",
    }
    return [(label, shown(str(text))) for label, text in found.items() if text]


def _scores(model: TrainedGenerator, run: Run | None) -> list[dict[str, Any]]:
    """Scores of the very checkpoint, as the report words them."""
    curves = curves_of([score for score in run.scores() if score.images == model.about.get("images")]) if run else ()
    return [{**curve.model_dump(), "value": curve.values[-1]} for curve in curves if curve.values[-1] is not None]
