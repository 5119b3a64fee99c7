"""Trained networks from which a run starts: those of another run, or an exported generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from steadygan.config import difference
from steadygan.errors import ConfigError, DataError
from steadygan.names import path_of
from steadygan.networks import Networks
from steadygan.runs import Run, SavedCheckpoint, StartInfo, checkpoint_at
from steadygan.runs.checkpoints import digest
from steadygan.spec import ImageSpec
from steadygan.training import checkpoint
from steadygan.training.config import OWN, RunConfig, is_ours, own_parts
from steadygan.training.exported import WEIGHTS, is_exported, is_model_folder, read_exported
from steadygan.training.hub import is_on_hub, local_copy
from steadygan.training.restoring import check_shapes, stored_networks

_PARTS = ("generator", "average", "discriminator")


@dataclass(frozen=True)
class Origin:
    """Trained networks that lie at `where`, in a checkpoint if they are those of a run.

    `stored` are the settings that built them, `spec` is the form of their images, `info` what `run.json` keeps.
    """

    where: Path
    stored: dict[str, Any]
    spec: ImageSpec
    info: StartInfo
    saved: SavedCheckpoint | None = None

    def networks(self, recipe: RunConfig | None = None) -> Networks:
        """The settings of its networks; `recipe` has those of the user's own.

        If they know no class they never will, unless what tells classes apart is a part of its own.
        """
        found = stored_networks(self.stored, recipe, self.where, self.info.recipe)
        fixed = hasattr(found, "conditional") and is_ours(found) and not _class_parts(found)
        if fixed and not _told(found, self.spec):
            return found.model_copy(update={"conditional": False})  # type: ignore[attr-defined] # ours are models
        return found

    def check_networks(self, config: RunConfig) -> None:
        """ConfigError if the run would have other networks, or images of another size."""
        problems, way_out = [], "leave it out, or train without --from"
        if config.size not in (None, self.spec.size):
            problems.append(f"size: {self.where} makes images of {self.spec.size} pixels, not {config.size}; {way_out}")
        both = (self._networks_or(config.networks), config.networks)
        before, now = (RunConfig.model_validate({"networks": networks}).dump()["networks"] for networks in both)
        changed = difference(before, now)
        changed.pop("conditional", None)  # which may follow the labels: `check_images` counts them
        for name in ["kind"] if "kind" in changed else changed:
            old, new = changed[name]
            problems.append(f"networks.{name}: that of {self.where} is {old}, not {new}; {way_out}")
        if problems:
            raise ConfigError(*problems)

    def check_images(self, networks: Networks, spec: ImageSpec) -> None:
        """ConfigError if networks that fit these images would have another form."""
        problems, (known, there) = [], self._classes(networks, spec)
        if spec.size != self.spec.size:
            problems.append(
                f"size: {self.where} makes images of {self.spec.size} pixels, these have {spec.size}; prepare them at "
                f"--size {self.spec.size}"
            )
        if spec.channels != self.spec.channels:
            problems.append(
                f"data.channels: {self.where} makes images of {self.spec.channels} channels, these have "
                f"{spec.channels}; prepare them alike, or train without --from"
            )
        if known != there and not _class_parts(networks):
            way_out = f"give images of {known} classes" if known else "leave networks.conditional out"
            problems.append(
                f"labels: {self.where} knows {known or 'no'} classes, with these images it would be {there or 'none'}; "
                f"{way_out}, or train without --from"
            )
        if problems:
            raise ConfigError(*problems)

    def _networks_or(self, own: Networks) -> Networks:
        """The settings of its networks; those of the user's own are known by their weights alone, so they pass."""
        return own if self.stored.get("kind") == OWN else self.networks()

    def _classes(self, networks: Networks, spec: ImageSpec) -> tuple[int, int]:
        """How many classes its networks know, and how many they would know of these images."""
        return _told(self._networks_or(networks), self.spec), _told(networks, spec)

    def tensors(self, networks: Networks, spec: ImageSpec, fresh: Mapping[str, nn.Module]) -> dict[str, dict[str, Any]]:
        """The weights of each network there is; of an exported generator those of the average, for both.

        What tells other classes apart is as in `fresh`.
        """
        if self.saved:
            found = checkpoint.load(self.saved, _PARTS)
        else:
            found = dict.fromkeys(("generator", "average"), read_exported(self.where).tensors)
        known, there = self._classes(networks, spec)
        if known == there:
            return found
        parts = tuple(f"{part}." for part in _class_parts(networks))
        return {
            name: {place: tensor for place, tensor in tensors.items() if not place.startswith(parts)}
            | {place: tensor for place, tensor in fresh[name].state_dict().items() if place.startswith(parts)}
            for name, tensors in found.items()
        }

    def sentence(self, networks: Networks, spec: ImageSpec) -> str:
        """What the user is told."""
        seen = f"{self.info.images:,} images seen"
        known, there = self._classes(networks, spec)
        also = ""
        if known != there:
            also = f"what tells {there} classes apart begins afresh" if there else f"its {known} classes are left out"
            also = f", {also}"
        if self.saved:
            kept = "generator, average and discriminator as they were there"
            return f"starts from {self.saved.folder} ({seen}): {kept}{also}"
        return f"starts from {self.where} ({seen}): an exported file has no discriminator, so that begins afresh{also}"


def open_origin(source: str | Path) -> Origin:
    """What there is to start from: the best checkpoint of a run, a checkpoint by its folder, an exported file or its
    folder, or `hub:USER/NAME`.

    ConfigError if there is nothing, DataError if it is damaged.
    """
    on_hub = is_on_hub(source)
    path = (local_copy(source) if on_hub else path_of(source)).absolute()
    if is_model_folder(path) or (path.is_file() and is_exported(path)):
        return _of_file(path, str(source) if on_hub else str(path))
    if path.is_file() and path.name in ("best", "latest"):
        saved = Run(path.parent.parent).checkpoint(path.name)
    elif path.is_dir():
        saved = checkpoint_at(path)
    else:
        raise ConfigError(f"--from {source}: there is no folder of a run or of a checkpoint, and no FILE.safetensors")
    info = Run(saved.run).info()
    stored = info.config.get("networks")
    if not isinstance(stored, dict):
        raise DataError(f"{saved.run / 'run.json'} does not say what its networks are")
    start = StartInfo(
        source=str(saved.run),
        checkpoint=saved.name,
        images=saved.images,
        recipe=info.recipe,
        sha256={file: known for file, known in saved.meta.sha256.items() if file.partition(".")[0] in _PARTS},
        data=info.data.model_dump(exclude={"spec", "class_names"}),
        before=info.start,
    )
    return Origin(saved.folder, stored, info.data.spec, start, saved)


def _of_file(path: Path, source: str) -> Origin:
    stored, spec, about, tensors = read_exported(path)
    if not own_parts({"networks": stored}):
        check_shapes(stored_networks(stored, None, path, ""), spec, tensors, path)
    weights = path / WEIGHTS if path.is_dir() else path
    start = StartInfo(
        source=source,
        images=int(about.get("images", 0)),
        recipe=str(about.get("recipe", "")),
        sha256={weights.name: digest(weights)},
        data={"digest": about["trained_on"]} if "trained_on" in about else {},
        before=about.get("start"),
    )
    return Origin(path, stored, spec, start)


def _class_parts(networks: Networks) -> tuple[str, ...]:
    """The modules of its networks that could be left out or begin anew; of the user's own nothing is known."""
    return getattr(networks, "class_parts", ()) if is_ours(networks) else ()


def _told(networks: Networks, spec: ImageSpec) -> int:
    """How many classes networks are told of for images of this form."""
    return spec.classes if getattr(networks, "conditional", False) is not False else 0
