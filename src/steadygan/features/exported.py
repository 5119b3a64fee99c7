"""Any network that was saved together with its code."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from steadygan.errors import DataError
from steadygan.features.base import Described, PictureExtractor, exact
from steadygan.features.weights import digest_of, first_line
from steadygan.names import in_utf8, path_of
from steadygan.part import Part

_AT_ONCE = 16

Deviation = Annotated[float, Field(gt=0)]


class Exported(Part):
    """A network of your own as a file. Inception looks for ImageNet's classes: Kynkäänniemi et al. (2023).

    `path` is a program saved by torch.export.save (.pt2) or TorchScript (.pt, or any other name). It takes float32
    (N, 3, `size`, `size`) and gives (N, D), or a tuple whose first entry is that. Pictures in 0..1 are brought to
    `size` by antialiased interpolation, `resize`, without clipping; then (x - `mean`)/`std`, by default ImageNet's. It
    always gets the same number of pictures, the last one repeated to fill up: the number that a .pt2 was exported
    with, else 16. Such a file holds code: open none that you do not trust. Raises DataError if it cannot be used.
    """

    paper: ClassVar[str] = "arXiv:2203.06026"
    helps: ClassVar[str] = "Pictures unlike ImageNet's, medical or from above: a network that knows them judges better."
    hurts: ClassVar[str] = "Nobody else has these numbers, and a network trained on the same data may favour it."

    kind: Literal["exported"] = "exported"
    path: Path
    size: int = Field(default=224, ge=8, le=2048)
    resize: Literal["bilinear", "bicubic"] = "bicubic"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[Deviation, Deviation, Deviation] = (0.229, 0.224, 0.225)

    def build(self, device: torch.device) -> PictureExtractor:
        path = path_of(self.path)
        if not path.is_file():
            raise DataError(f"there is no file {path} to take features with; set `path` of {self.kind} to it")
        network, at_once = _opened(path, device)

        def describe(images: Tensor) -> Described:
            filled = torch.cat([images, images[-1:].expand(at_once - len(images), -1, -1, -1)])
            return Described(_rows(network(self._form(filled)))[: len(images)])

        return PictureExtractor(
            describe,
            name=self.kind,
            dimensions=self._dimensions(network, at_once, device),
            fingerprint=f"{self.kind} {self._preparation()} weights={digest_of(path)[:12]}",
            device=device,
            at_once=at_once,
        )

    def _form(self, images: Tensor) -> Tensor:
        pictures = images.float() / 255
        if pictures.shape[-1] != self.size:
            sides = (self.size, self.size)
            pictures = F.interpolate(pictures, size=sides, mode=self.resize, antialias=True, align_corners=False)
        mean, std = (pictures.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (pictures - mean) / std

    def _preparation(self) -> str:
        mean, std = (",".join(f"{value!r}" for value in values) for values in (self.mean, self.std))
        return f"resize={self.resize}-antialiased-{self.size} mean={mean} std={std}"

    def _dimensions(self, network: Callable[[Tensor], Any], at_once: int, device: torch.device) -> int:
        """D, found by trying. Raises DataError."""
        form = (at_once, 3, self.size, self.size)
        try:
            with torch.inference_mode(), exact(device):
                rows = _rows(network(torch.zeros(form, device=device)))
        except Exception as error:
            raise DataError(f"{self.path} does not take pictures {form}: {first_line(error)}") from error
        if not isinstance(rows, Tensor) or rows.dim() != 2 or len(rows) != at_once:
            what = tuple(rows.shape) if isinstance(rows, Tensor) else type(rows).__name__
            raise DataError(f"{self.path} gives {what} for {at_once} pictures, where ({at_once}, D) is needed")
        return rows.shape[1]


def _opened(path: Path, device: torch.device) -> tuple[Callable[[Tensor], Any], int]:
    """The network, and how many pictures it takes at once."""
    with warnings.catch_warnings(), in_utf8(path) as named:
        warnings.simplefilter("ignore")  # torch deprecates its own formats while it reads them
        try:
            if path.suffix == ".pt2":
                program = torch.export.load(named)
                return program.module().to(device), _pictures_of(program)
            return torch.jit.load(named, map_location=device).eval(), _AT_ONCE
        except Exception as error:
            raise DataError(f"{path} cannot be read as an exported network: {first_line(error)}") from error


def _pictures_of(program: torch.export.ExportedProgram) -> int:
    """How many pictures a program takes at once: the number it was exported with, unless that was left open."""
    names = set(program.graph_signature.user_inputs)
    shapes = [node.meta["val"].shape for node in program.graph.nodes if node.name in names]
    return shapes[0][0] if isinstance(shapes[0][0], int) else _AT_ONCE


def _rows(given: Any) -> Any:
    return given[0] if isinstance(given, tuple | list) else given
