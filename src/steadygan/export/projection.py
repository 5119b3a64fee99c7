"""Photos put into a generator: the pictures of it that are nearest to them, and their latents to go on with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from steadygan.config import resolve
from steadygan.data.dataset import read_meta
from steadygan.data.photos import Photos, read_photos
from steadygan.data.settings import PrepareSettings
from steadygan.data.sources.items import Rejection
from steadygan.errors import ConfigError, DataError, os_errors
from steadygan.export.inversion import Inversion, draw, invert_one
from steadygan.export.model import TrainedGenerator, load
from steadygan.export.pictures import must_be_new
from steadygan.rundir import atomic_folder, atomic_path
from steadygan.runs.run import run_at
from steadygan.training.runtime import choose_device
from steadygan.training.sampling import rows
from steadygan.visual.beside import side_by_side
from steadygan.visual.grid import save_picture

__all__ = ["Projected", "invert", "project"]

AnyPhotos = str | PathLike[str] | Sequence[str | PathLike[str]] | Tensor
Progress = Callable[[int, int], None]

_CHANNELS = {1: "grey", 3: "rgb"}
_RANDOM = 64  # pictures that a photo is compared with to see what is far
LATENTS, SHEET = "latents.safetensors", "side-by-side.png"


@dataclass(frozen=True, eq=False)
class Projected:
    """What was found for N photos.

    `latents` float32 (N, dim), `labels` int64 (N,) or None without classes, `pictures` uint8 (N, C, S, S) of them,
    `photos` alike, as training would have seen them, `names` and, of folders, what was `refused`.
    `distances` (N,) are root mean squares of the differences of both, in grey levels 0..255. To be read between `own`,
    the mean distance at which the generator's own pictures are found (None if that was not asked for), and `random`
    (N,), the median distance of each photo to 64 random pictures of its class.
    """

    names: tuple[str, ...]
    photos: Tensor
    pictures: Tensor
    latents: Tensor
    labels: Tensor | None
    distances: Tensor
    random: Tensor
    own: float | None
    refused: tuple[Rejection, ...] = ()

    @property
    def far(self) -> Tensor:
        """Which photos, bool (N,), are nearer to what a random picture is away than to what an own picture is."""
        return self.distances > (self.random + (self.own or 0.0)) / 2

    def said(self) -> list[str]:
        """The distance of each photo in a sentence."""
        own = "" if self.own is None else f", its own are found {self.own:.1f} away"
        far = "; that is far from all it was found to make, so the latents stand for another picture"
        numbers = zip(self.names, self.distances.tolist(), self.random.tolist(), self.far.tolist(), strict=True)
        return [
            f"{name}: {distance:.1f} of 255 levels from its picture; random ones are {random:.1f} away{own}"
            + far * is_far
            for name, distance, random, is_far in numbers
        ]

    def save(self, out: str | Path) -> Path:
        """Write FILE.safetensors, which `sample --latents` reads; FILE.png, photos above pictures; or a FOLDER of both.

        ConfigError for another suffix and a folder that holds something.
        """
        out = Path(out)
        check_out(out)
        if out.suffix in _WRITERS:
            with atomic_path(out) as part:
                _WRITERS[out.suffix](self, part)
            return out
        with atomic_folder(out) as folder:
            _save_sheet(self, folder / SHEET)
            _save_latents(self, folder / LATENTS)
        return out


def _save_latents(found: Projected, path: Path) -> None:
    labels = {} if found.labels is None else {"labels": found.labels}
    path.write_bytes(to_bytes({"latents": found.latents, **labels}))  # save_file's only its owner may read


def _save_sheet(found: Projected, path: Path) -> None:
    captions = [
        f"{distance:.1f} levels" + " (far)" * far for distance, far in zip(found.distances, found.far, strict=True)
    ]
    save_picture(side_by_side(rows(found.photos), rows(found.pictures), captions), path)


_WRITERS: dict[str, Callable[[Projected, Path], None]] = {".safetensors": _save_latents, ".png": _save_sheet}


def check_out(out: Path) -> None:
    """ConfigError for an output of another kind than can be written, or a folder that holds something."""
    if out.suffix in _WRITERS:
        return
    if out.suffix:
        raise ConfigError(
            f"-o {out}: give FILE.safetensors for latents, FILE.png for a sheet, or a new folder for both"
        )
    must_be_new(out)


@os_errors()
def project(
    run: str | PathLike[str],
    photos: AnyPhotos,
    label: int | str | None = None,
    seed: int = 0,
    how: Inversion | None = None,
    own: int = 2,
    progress: Progress | None = None,
    **source: Any,
) -> Projected:
    """The latents of a generator whose pictures are nearest to photos, and how near they are.

    `photos` are files, folders or a mixture, brought to the form that the run's images were brought to; or pictures
    uint8 (N, C, S, S) in that form. Of a generator with classes all are tried, or `label` alone, by name or number. A
    photo's latent follows from it and the seed, whatever others there are. `own` pictures of the generator are
    looked for as well, to tell what a small distance is; 0 leaves that out. `progress` is called with (done, total)
    steps. `source` are `which` and `recipe` as `load` takes them.
    Raises ConfigError for a generator of points and what `load` raises, DataError for a file that is no picture.
    """
    run, how = Path(run), how or Inversion()
    model = load(run, **source)
    taken = _photos(run, model, photos)
    targets = torch.from_numpy(taken.images).permute(0, 3, 1, 2).contiguous()
    model.to(choose_device("auto"))
    mine = model.sample(own, seed=derived_seed(seed), label=label).as_subclass(Tensor) if own else targets[:0]
    candidates, steps = draw(model, how, seed, label), 0

    def stepped() -> None:
        nonlocal steps
        steps += 1
        if progress:
            progress(steps, how.steps * (len(targets) + own))

    found = [invert_one(model, one, candidates, how, seed, stepped) for one in (*targets, *mine)]
    latents = torch.stack([latent for latent, _ in found])
    given = tuple(torch.stack(labels) for labels in zip(*(labels for _, labels in found), strict=True))
    pictures = model.pictures(latents, *given).as_subclass(Tensor)
    distances = levels_apart(pictures, torch.cat([targets, mine]))
    count = len(targets)
    return Projected(
        names=taken.names,
        photos=targets,
        pictures=pictures[:count],
        latents=latents[:count],
        labels=given[0][:count] if given else None,
        distances=distances[:count],
        random=_random(model, targets, seed, label),
        own=float(distances[count:].mean()) if own else None,
        refused=taken.refused,
    )


def invert(run: str | PathLike[str], photos: AnyPhotos, **options: Any) -> Tensor:
    """Latents float32 (N, dim) whose pictures are nearest to photos: those of `project`, which also says how near.

    `options` are those of `project`.
    """
    return project(run, photos, **{"own": 0, **options}).latents


def levels_apart(pictures: Tensor, others: Tensor) -> Tensor:
    """Root mean squares of the differences of pictures uint8 (N, C, H, W), in grey levels: float32 (N,)."""
    return (pictures.float() - others.float()).square().mean((1, 2, 3)).sqrt()


def derived_seed(seed: int) -> int:
    """The seed of the generator's own pictures: one whose latents are no candidates."""
    return seed + 1


def _random(model: TrainedGenerator, targets: Tensor, seed: int, label: int | str | None) -> Tensor:
    """The median distance (N,) of each picture to random ones of the generator."""
    others = model.sample(_RANDOM, seed=derived_seed(seed), label=label).as_subclass(Tensor)
    return torch.stack([levels_apart(one[None], others).median() for one in targets])


def _photos(run: Path, model: TrainedGenerator, photos: AnyPhotos) -> Photos:
    spec = model.spec
    if spec.size == 1 or spec.channels not in _CHANNELS:
        raise ConfigError(f"{run} makes {spec}, and photos have 1 or 3 channels; give a run on pictures")
    if isinstance(photos, Tensor):
        form = (spec.channels, spec.size, spec.size)
        if photos.dtype != torch.uint8 or photos.ndim != 4 or tuple(photos.shape[1:]) != form or not len(photos):
            raise DataError(
                f"pictures must be uint8 (N, {', '.join(map(str, form))}), not {photos.dtype} {tuple(photos.shape)}"
            )
        return Photos(tuple(map(str, range(len(photos)))), photos.detach().cpu().permute(0, 2, 3, 1).numpy())
    paths = [photos] if isinstance(photos, str | PathLike) else list(photos)
    if not paths:
        raise ConfigError("photos: there is none; give at least one")
    return read_photos([str(path) for path in paths], _as_trained(run, model))


def _as_trained(source: Path, model: TrainedGenerator) -> PrepareSettings:
    """How the images were brought to one form that the generator learned, as far as one photo gives one picture."""
    made: dict[str, Any] = {}
    if run := run_at(source):
        info = run.info()
        made = info.config.get("data", {})
        with suppress(DataError):
            made = read_meta(Path(info.data.prepared or source))["settings"]
    kept: dict[str, Any] = {name: made[name] for name in ("fit", "background") if name in made}
    if kept.get("fit") == "random-crops":
        kept["fit"] = "crop"
    return resolve(PrepareSettings, {**kept, "size": model.spec.size, "channels": _CHANNELS[model.spec.channels]})
