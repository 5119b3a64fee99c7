"""A generator as a graph of operations that runs without steadygan: ONNX, and a program of torch.export."""

from __future__ import annotations

import copy
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from steadygan.errors import ConfigError
from steadygan.ops.images import to_uint8
from steadygan.version import __version__

if TYPE_CHECKING:
    from steadygan.export.model import TrainedGenerator

_TRACED = 2  # pictures; of 0 and 1 torch.export makes constants


class _Pictures(nn.Module):
    """A generator whose inputs have names, `latent` and `label`, and which may end in grey levels."""

    def __init__(self, generator: nn.Module, output: str) -> None:
        super().__init__()
        self.generator = generator
        self.levels = output == "uint8"

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        images: Tensor = self.generator(latent) if label is None else self.generator(latent, label)
        return to_uint8(images) if self.levels else images.float()


def facts_of(model: TrainedGenerator, output: str) -> dict[str, str]:
    """What a file says of the generator in it, text by name.

    `latent` says how latents are drawn, `classes` what the labels mean, `output` what `images` are: float32 in -1..1,
    to be clipped, or uint8.
    """
    said: dict[str, str] = {
        "made_by": f"steadygan {__version__}",
        "latent": f"float32 (N, {model.latent_dim}), {_DRAWN[model.latent.kind]}",
        "output": f"images (N, {model.spec.channels}, {model.spec.size}, {model.spec.size}), {_GIVES[output]}",
        "spec": model.spec.model_dump_json(),
        **{name: str(model.about[name]) for name in ("recipe", "images", "license") if name in model.about},
    }
    if model.classes:
        said["classes"] = json.dumps(model.class_names)
    return said


_DRAWN = {"normal": "standard normal", "uniform": "uniform on -1..1"}
_GIVES = {"float32": "float32 in -1..1", "uint8": "uint8 0..255"}


def write_onnx(model: TrainedGenerator, out: Path, output: str) -> None:
    """Write an ONNX file: `latent`, and `label` int64 (N,) where there are classes, to `images`; N is open."""
    program = _traced(model, output)
    with _quietly():
        made = torch.onnx.export(
            program, dynamo=True, verbose=False, input_names=_inputs(model), output_names=["images"]
        )
    assert made is not None  # with dynamo
    graph: Any = made.model.graph
    for thing in (graph, *graph.all_nodes(), *graph.inputs, *graph.outputs, *graph.initializers.values()):
        thing.metadata_props.clear()  # where in whose files each came from
    made.model.metadata_props.update(facts_of(model, output))
    out.write_bytes(made.model_proto.SerializeToString())


def read_onnx(model: TrainedGenerator, file: Path) -> Callable[..., Tensor]:
    """The file as onnxruntime runs it, once onnx has checked it."""
    import onnx
    from onnxruntime import InferenceSession, SessionOptions

    content = file.read_bytes()
    onnx.checker.check_model(content, full_check=True)
    options = SessionOptions()
    options.log_severity_level = 3  # errors
    session = InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def play(*inputs: Tensor) -> Tensor:
        given = {name: value.numpy() for name, value in zip(_inputs(model), inputs, strict=True)}
        return torch.from_numpy(session.run(["images"], given)[0])

    return play


def use_onnx(model: TrainedGenerator, file: Path) -> str:
    """How pictures are made with it."""
    drawn = {"normal": "standard_normal(", "uniform": "uniform(-1, 1, "}[model.latent.kind]
    label = f', "label": numpy.arange(64) % {model.classes}' if model.classes else ""
    return (
        "import numpy, onnxruntime\n"
        f'latent = numpy.random.default_rng().{drawn}(64, {model.latent_dim})).astype("float32")\n'
        f'images = onnxruntime.InferenceSession({str(file)!r}).run(None, {{"latent": latent{label}}})[0]'
    )


def write_program(model: TrainedGenerator, out: Path, output: str) -> None:
    """Write a program of torch.export, which takes latents and, where there are classes, labels; N is open."""
    with _quietly():
        torch.export.save(_traced(model, output), made := io.BytesIO(), extra_files=facts_of(model, output))
    out.write_bytes(made.getvalue())


def read_program(_: TrainedGenerator, file: Path) -> Callable[..., Tensor]:
    """The file as torch runs it."""
    with _quietly():
        play: Callable[..., Tensor] = torch.export.load(io.BytesIO(file.read_bytes())).module()
    return play


def use_program(model: TrainedGenerator, file: Path) -> str:
    """How pictures are made with it."""
    drawn = {"normal": "torch.randn(64, {})", "uniform": "torch.rand(64, {}) * 2 - 1"}[model.latent.kind]
    label = f", torch.arange(64) % {model.classes}" if model.classes else ""
    return (
        "import torch\n"
        f"generator = torch.export.load({str(file)!r}).module()\n"
        f"images = generator({drawn.format(model.latent_dim)}{label})"
    )


def _inputs(model: TrainedGenerator) -> list[str]:
    return ["latent", "label"][: 1 + bool(model.classes)]


def _traced(model: TrainedGenerator, output: str) -> torch.export.ExportedProgram:
    """The generator's operations, on the CPU, for any number of pictures; ConfigError if it cannot be followed."""
    network = _Pictures(copy.deepcopy(model.generator).cpu(), output).eval()
    inputs = (model.latents(_TRACED), *model.labels(range(_TRACED)))
    free = dict(zip(_inputs(model), [{0: torch.export.Dim.DYNAMIC}] * 2, strict=False))
    try:
        with _quietly():
            program = torch.export.export(network, inputs, dynamic_shapes=free)
    except Exception as problem:
        why = str(problem).strip().partition("\n")[0]
        raise ConfigError(
            f"this generator does more than operations in a fixed order, which alone fit this form: {why}; export it "
            "as .safetensors"
        ) from problem
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # lines of files on this machine
    return program


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what torch says of itself while it exports: of its own deprecations, and of packages it could know."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
