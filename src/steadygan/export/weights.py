"""A generator as weights and the settings that build it, which only steadygan reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.func import functional_call

from steadygan.errors import DataError
from steadygan.training.exported import ExportedGenerator, read_exported
from steadygan.training.state import weights

if TYPE_CHECKING:
    from steadygan.export.model import TrainedGenerator


def write_weights(model: TrainedGenerator, out: Path, output: str = "float32") -> None:
    """Write one safetensors file, which `sg.load` reads without the run; `output` is float32 always."""
    exported(model).write(out)


def read_weights(model: TrainedGenerator, file: Path) -> Callable[..., Tensor]:
    """The generator with the weights of the file; DataError if anything else in it is not the generator's."""
    found, wanted = read_exported(file), exported(model)
    if found[:3] != wanted[:3]:
        raise DataError(f"{file} does not give back the settings that were written into it")
    device = next(model.generator.parameters()).device
    tensors = {name: value.to(device) for name, value in found.tensors.items()}

    def play(*inputs: Tensor) -> Tensor:
        images: Any = functional_call(
            model.generator, tensors, tuple(value.to(device) for value in inputs), strict=True
        )
        return images.float().cpu()

    return play


def use_weights(_: TrainedGenerator, file: Path) -> str:
    """How pictures are made with it."""
    return f"import steadygan as sg\nimages = sg.load({str(file)!r}).sample(64, seed=0)"


def exported(model: TrainedGenerator) -> ExportedGenerator:
    """What a file holds of the generator."""
    return ExportedGenerator(model.networks, model.spec, model.about, weights(model.generator))
