"""The files a trained generator can be written to: each is loaded again on the spot and must make the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor

from steadygan.errors import ConfigError, DataError
from steadygan.export.graphs import read_onnx, read_program, use_onnx, use_program, write_onnx, write_program
from steadygan.export.weights import read_weights, use_weights, write_weights
from steadygan.ops.images import to_uint8
from steadygan.rundir import atomic_path

if TYPE_CHECKING:
    from steadygan.export.model import TrainedGenerator

Output = Literal["float32", "uint8"]
Player = Callable[..., Tensor]
"""What a file does: latents (N, latent_dim), and labels (N,) where there are classes -> images (N, C, H, W)."""

_BATCHES = (1, 2, 7)  # one alone, where libraries choose other ways; the size that was traced; one of neither
_MOST = {"float32": 0.1, "uint8": 1.0}
"""Of 255 levels, the most that a picture may differ: sums in another order; of whole levels one at the edge of two."""


@dataclass(frozen=True)
class FileForm:
    """A kind of file: `write` makes it, `read` loads it to be compared with the generator.

    `use` gives lines of Python that make 64 pictures with it. `needs` are the packages that all this takes, `extra` is
    what they are called to pip; `outputs` are what it can be told to give, `holds` the most bytes of weights in it.
    """

    write: Callable[[TrainedGenerator, Path, Output], None]
    read: Callable[[TrainedGenerator, Path], Player]
    use: Callable[[TrainedGenerator, Path], str]
    needs: tuple[str, ...] = ()
    extra: str = ""
    outputs: tuple[Output, ...] = ("float32", "uint8")
    holds: float = float("inf")


FORMS: dict[str, FileForm] = {
    ".safetensors": FileForm(write_weights, read_weights, use_weights, outputs=("float32",)),
    ".onnx": FileForm(
        write_onnx,
        read_onnx,
        use_onnx,
        needs=("onnx", "onnxscript", "onnxruntime"),
        extra="onnx",
        holds=2**31 - 2**24,  # a protocol buffer has 2 GiB, the graph among them
    ),
    ".pt2": FileForm(write_program, read_program, use_program),
}
"""Every kind of file by its suffix, but for `PAGE`, which `page.save_page` writes and compares in its own way."""
PAGE = ".html"


class Saved(NamedTuple):
    """A file that was written, and by how much its pictures differ from the generator's at most: of 255 `levels`, and
    as numbers.
    """

    path: Path
    levels: float
    difference: float

    def __str__(self) -> str:
        return f"loaded again: at most {self.levels:.2g} of 255 levels from PyTorch's pictures ({self.difference:.2g})"


def form_of(out: Path, output: Output = "float32") -> FileForm:
    """The kind of file; ConfigError, before any work, if there is none such, or a package for it is missing."""
    form = FORMS.get(out.suffix.lower())
    if form is None:
        raise ConfigError(
            f"-o {out}: a generator is exported as {_either(f'FILE{suffix}' for suffix in (*FORMS, PAGE))}"
        )
    if output not in form.outputs:
        able = _either(f"FILE{suffix}" for suffix, other in FORMS.items() if output in other.outputs)
        raise ConfigError(f"--output {output}: a {out.suffix} holds weights alone; leave it out, or write {able}")
    if missing := [name for name in form.needs if find_spec(name) is None]:
        raise ConfigError(f'-o {out} needs {", ".join(missing)}: pip install "steadygan[{form.extra}]"')
    return form


def check_page(out: Path, output: Output) -> None:
    """ConfigError, before any work, for a page that is to give anything but pictures."""
    if output != "float32":
        raise ConfigError(f"--output {output}: {out} makes pictures itself; leave it out")


def save(model: TrainedGenerator, out: Path, output: Output = "float32") -> Saved:
    """Write the generator to a file whose form its suffix says, and compare what that makes with what it should.

    `output` "uint8" puts the way to grey levels into the file. ConfigError as `form_of`, and for a generator that has
    no such form; DataError, and no file, if the file makes other pictures.
    """
    form = form_of(out, output)
    if (size := sum(value.nbytes for value in model.generator.state_dict().values())) > form.holds:
        raise ConfigError(f"-o {out}: {size / 2**30:.1f} GiB of weights, more than a {out.suffix} holds; write .pt2")
    with atomic_path(out) as part:
        form.write(model, part, output)
        return compared(model, out, form.read(model, part), output)


def compared(model: TrainedGenerator, out: Path, play: Player, output: Output = "float32") -> Saved:
    """What was loaded again, against the generator itself; DataError if `out` would make other pictures."""
    levels, difference = _differences(model, play, output)
    if not levels <= _MOST[output]:  # which is true of what is no number, too
        raise DataError(
            f"{out} was not written: loaded again, its pictures differ from PyTorch's by {levels:.3g} of 255 levels; "
            f"at most {_MOST[output]} would be from rounding"
        )
    return Saved(out, levels, difference)


@torch.inference_mode()
def _differences(model: TrainedGenerator, play: Player, output: Output) -> tuple[float, float]:
    """The largest over several sizes of batches, in levels and as they are.

    Images beyond -1..1, which pictures are clipped to, are compared by their own range.
    """
    worst, most = 0.0, 0.0
    device = next(model.generator.parameters()).device
    for count in _BATCHES:
        latents, labels = model.latents(count, seed=count), model.labels(range(count))
        images = model(latents.to(device), *(label.to(device) for label in labels)).float().cpu()
        wanted = to_uint8(images) if output == "uint8" else images
        made = play(latents, *labels)
        if made.shape != wanted.shape or made.dtype != wanted.dtype:
            return float("inf"), float("inf")
        apart = float((made.double() - wanted.double()).abs().max())
        scale = 1.0 if output == "uint8" else 127.5 / max(1.0, float(wanted.abs().max()))
        worst, most = _larger(worst, apart * scale), _larger(most, apart)
    return worst, most


def _larger(one: float, other: float) -> float:
    """The larger of both, and no number if one of them is none."""
    return one + other if one + other != one + other else max(one, other)


def _either(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
