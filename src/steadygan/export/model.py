"""A trained generator as a module that needs nothing but its file, and the file it travels in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from steadygan.errors import ConfigError, DataError, os_errors
from steadygan.export.forms import Output, save
from steadygan.export.sampled import Sampled
from steadygan.export.wanted import numbers_of
from steadygan.networks import Latents, Networks, classes_of, latents_of
from steadygan.recipes.choose import recipe_of
from steadygan.recipes.facts import Facts
from steadygan.recipes.start import facts_of, told_again
from steadygan.runs import Run, checkpoint_at
from steadygan.spec import ImageSpec
from steadygan.training import checkpoint
from steadygan.training.config import RunConfig, is_ours
from steadygan.training.exported import is_model_folder, read_exported
from steadygan.training.hub import local_copy
from steadygan.training.restoring import generator_of, rebuilt, stored_networks, with_weights
from steadygan.training.sampling import generate_alike, labels_in_turn
from steadygan.training.seeds import fixed_latents

_BATCH = 16
_PIXELS = 16 * 128 * 128


class TrainedGenerator(nn.Module):
    """The averaged generator of a run, in evaluation mode.

    Called with latents (N, latent_dim), and labels (N,) if it has `classes`, it gives images (N, C, H, W) in -1..1;
    `sample` gives pictures.
    `spec` is the form of the images, `latent` that of the latents, `networks` the settings that built it, `about` what
    is known of its origin.
    """

    def __init__(
        self, generator: nn.Module, networks: dict[str, Any], spec: ImageSpec, latent_dim: int, about: dict[str, Any]
    ) -> None:
        super().__init__()
        self.classes = classes_of(generator)
        self.class_names: list[str] = about.get("class_names") or [str(label) for label in range(self.classes)]
        self.generator = generator.requires_grad_(False)
        self.spec = spec
        self.networks = networks
        self.latent_dim = latent_dim
        self.latent = Latents(latent_dim, networks.get("latent", "normal"))  # which older ones do not say
        self.batch = max(1, min(_BATCH, _PIXELS // spec.size**2))
        self.about = about
        self.eval()

    def forward(self, latent: Tensor, *given: Tensor) -> Tensor:
        images: Tensor = self.generator(latent, *given)
        return images

    def latents(self, count: int | None = None, seed: int = 0, pick: Sequence[int] | None = None) -> Tensor:
        """Latents (N, latent_dim) as `sample` takes them: each follows from seed and number, on every machine."""
        return fixed_latents(numbers_of(count, pick), self.latent, seed, "sample")

    def labels(self, numbers: Iterable[int], label: int | str | None = None) -> tuple[Tensor, ...]:
        """Labels int64 (N,) of the pictures of these numbers, all of one class or all classes in turn.

        () if the generator knows no classes. ConfigError names the classes there are.
        """
        in_turn = labels_in_turn(numbers, self.classes)
        if label is None:
            return in_turn
        if not self.classes:
            raise ConfigError(f"class {label}: this generator was trained without classes")
        names = [*self.class_names, *map(str, range(self.classes))]
        if str(label) not in names:
            raise ConfigError(f"class {label}: there is none of that name; there are {', '.join(self.class_names)}")
        return (torch.full_like(in_turn[0], names.index(str(label)) % self.classes),)

    def sample(
        self,
        count: int | None = None,
        seed: int = 0,
        batch: int | None = None,
        label: int | str | None = None,
        pick: Sequence[int] | None = None,
    ) -> Tensor:
        """Pictures: uint8 (N, C, H, W) on the CPU; of one class by name or number, or else of all in turn.

        A tensor, which a notebook shows as a grid.

        The first `count` of a seed, or those that `pick` numbers from 0, in its order. A picture is the same to the bit
        however many others are asked for; on another device, or in another `batch` (None: 16, fewer of large ones), it
        may differ by a grey level here and there.
        """
        numbers = numbers_of(count, pick)
        return self.pictures(self.latents(seed=seed, pick=numbers), *self.labels(numbers, label), batch=batch)

    def pictures(self, latents: Tensor, *given: Tensor, batch: int | None = None) -> Tensor:
        """As `sample`, of these latents (N, latent_dim) and labels (N,)."""
        return generate_alike(self.generator, latents, *given, batch=batch or self.batch).as_subclass(Sampled)

    def save(self, out: str | Path, output: Output = "float32") -> Path:
        """Write FILE.safetensors, which `load` reads without the run, FILE.onnx or FILE.pt2; errors as `forms.save`."""
        return save(self, Path(out), output).path


@os_errors()
def load(
    path: str | PathLike[str],
    which: str = "best",
    recipe: str | RunConfig | None = None,
    revision: str | None = None,
) -> TrainedGenerator:
    """The averaged generator of a run folder, a checkpoint folder or an exported file or folder, on the CPU.

    Of a run `which` takes "best", "latest" or the name of a checkpoint. `recipe` is what it was trained with, a word as
    after `--recipe` or a RunConfig, and needed if the networks are the user's own. ConfigError says so; DataError if
    there is no generator.

    "hub:USER/NAME" is a model of the Hugging Face Hub, as it was at a `revision` (tag, branch or commit) or is now, and
    so is "USER/NAME" where there is no such path and no folder USER. Of it two files are read, config.json and
    model.safetensors; nothing in them is executed.
    """
    path = local_copy(path, revision)
    if path.is_file() or is_model_folder(path):
        return _from_file(path, recipe)
    saved = checkpoint_at(path, which)
    run = Run(saved.run)
    info, average = run.info(), checkpoint.load(saved, ("average",))["average"]
    about = {"recipe": info.recipe, "images": saved.images, "checkpoint": saved.name, "run": run.path.name}
    about |= {"class_names": list(info.data.class_names), "trained_on": info.data.digest}
    if info.start:
        about["start"] = info.start.handed_over()
    if recipe:
        about["facts"] = facts_of(run).model_dump()
    stored = info.config.get("networks")
    networks = stored_networks(stored, told_again(recipe, run), run.path, info.recipe)
    generator = with_weights(rebuilt(networks, info.data.spec).generator, average, saved.folder)
    return _assemble(stored, networks, info.data.spec, generator, about)


def _from_file(path: Path, recipe: str | RunConfig | None) -> TrainedGenerator:
    stored, spec, about, tensors = read_exported(path)
    try:
        facts = Facts.model_validate(about.get("facts", spec.model_dump()))
    except ValidationError as problem:
        raise DataError(f"{path} does not say rightly what its recipe was told; export it again") from problem
    own = recipe_of(recipe)(facts) if recipe else None
    networks = stored_networks(stored, own, path, str(about.get("recipe")))
    return _assemble(stored, networks, spec, generator_of(networks, spec, tensors, path), about)


def _assemble(
    stored: Any, networks: Networks, spec: ImageSpec, generator: nn.Module, about: dict[str, Any]
) -> TrainedGenerator:
    latent = latents_of(networks)
    settings = stored if is_ours(networks) else {**stored, "latent": latent.kind}
    return TrainedGenerator(generator, settings, spec, latent.dim, about)
