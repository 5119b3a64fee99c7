"""Generated images as files: a grid, a folder of PNGs, or a walk through latent space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from steadygan.errors import ConfigError
from steadygan.export.model import TrainedGenerator, load
from steadygan.export.wanted import Wanted, read_latents
from steadygan.networks.latents import Latent
from steadygan.training.config import RunConfig
from steadygan.training.sampling import rows
from steadygan.visual.gif import save_animation
from steadygan.visual.grid import grid, save_images, save_picture
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
    at most 8 where none was picked, on great circles (White 2016) or, of uniform latents, on straight lines: `frames`
    pictures from each to the next and back to the first, all of the class asked for or of the first one's. Raises
    ConfigError for another suffix or a folder that is not empty.
    """
    model, wanted = load(source, which, recipe), wanted or Wanted()
    numbers, latents = _latents(model, wanted)
    if out.suffix.lower() in _WALK_SUFFIXES:
        stations = _WALK_STATIONS if wanted.pick is None else len(latents)
        _walk(model, out, latents[:stations], model.labels(numbers, wanted.label), frames, fps)
        return out
    if out.suffix and out.suffix.lower() != ".png":
        raise ConfigError(
            f"-o {out}: give FILE.png for a grid, FILE.gif or .mp4 for a walk, or the name of a new folder"
        )
    as_grid = bool(out.suffix) or (out.exists() and not (out.is_file() or out.is_dir()))
    if not as_grid:
        must_be_new(out)
    images = rows(model.pictures(latents, *model.labels(numbers, wanted.label)))
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


def _latents(model: TrainedGenerator, wanted: Wanted) -> tuple[Sequence[int], Tensor]:
    """The numbers of the pictures and their latents."""
    if wanted.latents is None:
        numbers = wanted.numbers()
        return numbers, model.latents(seed=wanted.seed, pick=numbers)
    given = read_latents(wanted.latents, model.latent_dim)
    numbers = wanted.numbers(len(given))
    return numbers, given[list(numbers)]


def _walk(
    model: TrainedGenerator, out: Path, stations: Tensor, labels: tuple[Tensor, ...], frames: int, fps: float
) -> None:
    between = _BETWEEN[model.latent.kind]
    path = torch.from_numpy(latent_walk(stations.numpy(), frames, between=between)).float()
    images = rows(model.pictures(path, *(label[:1].expand(len(path)) for label in labels)))
    save_animation([grid(image[None], columns=1, padding=0) for image in images], out, fps)
