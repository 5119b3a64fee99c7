"""Generated images as files: a grid, a folder of PNGs, or a walk through latent space."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from steadygan.errors import ConfigError
from steadygan.export.model import TrainedGenerator, load
from steadygan.training.sampling import generate, rows
from steadygan.visual.gif import save_animation
from steadygan.visual.grid import grid, save_images, save_picture
from steadygan.visual.points import picture
from steadygan.visual.walk import latent_walk

_WALK_SUFFIXES = (".gif", ".mp4")
_WALK_STATIONS = 8


def sample_to(
    source: Path,
    out: Path,
    count: int = 64,
    seed: int = 0,
    which: str = "best",
    frames: int = 24,
    fps: float = 24,
    label: str | None = None,
) -> Path:
    """Write `count` images of a run or an exported file to `out`: FILE.png, a new FOLDER, FILE.gif or FILE.mp4.

    A walk passes through `count` latents, but at most 8, on great circles (White 2016), `frames` pictures from
    each to the next and back to the first. A class, by name or number, is asked for with `label`; without, images are
    of all classes in turn, a walk is of the first. Raises ConfigError for another suffix or a folder that is not empty.
    """
    model = load(source, which)
    if out.suffix.lower() == ".png":
        save_picture(picture(rows(model.sample(count, seed, label=label))), out)
    elif out.suffix.lower() in _WALK_SUFFIXES:
        _walk(model, out, model.latents(min(count, _WALK_STATIONS), seed), frames, fps, label)
    elif out.suffix:
        raise ConfigError(
            f"-o {out}: give FILE.png for a grid, FILE.gif or .mp4 for a walk, or the name of a new folder"
        )
    else:
        _folder(model.sample(count, seed, label=label), out)
    return out


def _folder(images: Tensor, out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        what = "that folder is not empty" if out.is_dir() else "that is no folder"
        raise ConfigError(f"-o {out}: {what}; give a new one, or a name ending in .png, .gif or .mp4")
    save_images(rows(images), out)


def _walk(model: TrainedGenerator, out: Path, latents: Tensor, frames: int, fps: float, label: str | None) -> None:
    path = torch.from_numpy(latent_walk(latents.numpy(), frames)).float()
    labels = model.labels(len(path), label or (model.class_names[0] if model.classes else None))
    images = rows(generate(model.generator, path, *labels))
    save_animation([grid(image[None], columns=1, padding=0) for image in images], out, fps)
