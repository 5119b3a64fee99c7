"""Generated images as files: a grid, a folder of PNGs, or a walk through latent space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from steadygan.errors import ConfigError, DataError
from steadygan.export.model import TrainedGenerator, load
from steadygan.export.wanted import Wanted, read_latents
from steadygan.networks.latents import Latent
from steadygan.training.config import RunConfig
from steadygan.training.sampling import rows
from steadygan.visual.gif import save_animation
from steadygan.visual.grid import Images, grid, save_images, save_picture
from steadygan.visual.points import picture
from steadygan.visual.walk import Between, latent_walk, slerp, straight

_WALK_SUFFIXES = (".gif", ".mp4")
_WALK_STATIONS = 8
_BETWEEN: dict[Latent, Between] = {"normal": slerp, "uniform": straight}


def sample_to(
    source: Path,
    out: Path,
    wanted: Wanted | None = None,
    which: str = "best",
    frames: int = 24,
    fps: float = 24,
    recipe: str | RunConfig | None = None,
) -> Path:
    """Write what is `wanted` of a run or an exported file to `out`: FILE.png, a new FOLDER, FILE.gif or FILE.mp4.

    A device or a pipe of any name, such as /dev/stdout, gets the grid as a PNG.

    The files of a folder are named by the numbers of their pictures. A walk passes through the pictures asked for, but
    at most 8 where neither some were picked nor latents given, on great circles (White 2016) or, of uniform latents, on
    straight lines: `frames` pictures from each to the next and back to the first, all of the class asked for or of the
    first one's; where latents came with labels, each of the nearer station's. Raises ConfigError for another suffix or
    a folder that is not empty.
    """
    model, wanted = load(source, which, recipe), wanted or Wanted()
    numbers, latents, given = _asked(model, wanted)
    if out.suffix.lower() in _WALK_SUFFIXES:
        stations = _WALK_STATIONS if wanted.pick is None and wanted.latents is None else len(latents)
        if wanted.latents is None:
            given = tuple(labels[:1].expand(len(labels)) for labels in given)
        _walk(model, out, latents[:stations], tuple(labels[:stations] for labels in given), frames, fps)
        return out
    if out.suffix and out.suffix.lower() != ".png":
        raise ConfigError(
            f"-o {out}: give FILE.png for a grid, FILE.gif or .mp4 for a walk, or the name of a new folder"
        )
    as_grid = bool(out.suffix) or (out.exists() and not (out.is_file() or out.is_dir()))
    if not as_grid:
        must_be_new(out)
    images = rows(model.pictures(latents, *given))
    if as_grid:
        in_turn = model.classes if wanted.label is None and wanted.pick is None else 0
        save_picture(picture(images, classes=in_turn), out)
    else:
        save_images(images, out, numbers)
    return out


def must_be_new(out: Path) -> None:
    """ConfigError for a folder that holds something, and for a file."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        what = "that folder is not empty" if out.is_dir() else "that is no folder"
        raise ConfigError(f"-o {out}: {what}; give a new one, or a name ending in .png, .gif or .mp4")


def _asked(model: TrainedGenerator, wanted: Wanted) -> tuple[Sequence[int], Tensor, tuple[Tensor, ...]]:
    """The numbers of the pictures, their latents and labels; the latter those of the file if no class is asked for."""
    if wanted.latents is None:
        numbers = wanted.numbers()
        return numbers, model.latents(seed=wanted.seed, pick=numbers), model.labels(numbers, wanted.label)
    latents, labels = read_latents(wanted.latents, model.latent_dim)
    numbers = wanted.numbers(len(latents))
    if not labels or wanted.label is not None or not model.classes:
        return numbers, latents[list(numbers)], model.labels(numbers, wanted.label)
    if not 0 <= int(labels[0].min()) <= int(labels[0].max()) < model.classes:
        raise DataError(
            f"--latents {wanted.latents}: it has labels of other classes; this generator knows {model.classes}"
        )
    return numbers, latents[list(numbers)], (labels[0][list(numbers)],)


def _walk(
    model: TrainedGenerator, out: Path, stations: Tensor, labels: tuple[Tensor, ...], frames: int, fps: float
) -> None:
    save_film(rows(model.pictures(*walk(model, stations, labels, frames))), out, fps)


def walk(
    model: TrainedGenerator, stations: Tensor, labels: tuple[Tensor, ...], frames: int
) -> tuple[Tensor, *tuple[Tensor, ...]]:
    """Latents (F, dim) through stations (K, dim) and back to the first, `frames` from each to the next, and labels (F,)
    of the nearer station if there are classes.
    """
    path = torch.from_numpy(latent_walk(stations.numpy(), frames, between=_BETWEEN[model.latent.kind])).float()
    nearer = (torch.arange(len(path)) + frames // 2) // frames % len(stations)
    return path, *(label[nearer] for label in labels)


def save_film(images: Images, out: Path, fps: float) -> None:
    """Write pictures (N, H, W, C) of a walk as FILE.gif or FILE.mp4, small ones enlarged."""
    save_animation([grid(image[None], columns=1, padding=0) for image in images], out, fps)
