"""Pictures drawn for these tests, a stand-in for torchvision, and files with random weights."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

import pytest
import torch
from torch import Tensor


def _drawn(count: int, size: int, seed: int = 0) -> Tensor:
    """Coloured noise of amplitude 1/f, each picture with a bright stripe in one of four directions, by turns."""
    generator = torch.Generator().manual_seed(seed)
    frequency = torch.fft.fftfreq(size)
    distance = (frequency[:, None] ** 2 + frequency**2).sqrt().clamp(min=1 / size)
    spectrum = torch.fft.fft2(torch.randn(count, 3, size, size, generator=generator)) / distance
    noise = torch.fft.ifft2(spectrum).real
    noise = noise / noise.std((1, 2, 3), keepdim=True)
    grey = noise.mean(1, keepdim=True)
    place = torch.arange(size) / size
    lines = torch.stack([place[:, None] + 0 * place, place + 0 * place[:, None], *_diagonals(place)])
    shift = torch.rand(count, generator=generator)[:, None, None]
    stripes = (((lines[torch.arange(count) % 4] + shift) % 1 - 0.5).abs() < 0.1).float()
    colours = torch.rand(count, 3, generator=generator)[:, :, None, None] - 0.5
    pictures = 0.45 + 0.12 * (0.8 * grey + 0.5 * (noise - grey)) + 0.6 * stripes[:, None] * (0.5 + colours)
    return (pictures * 255).round().clamp(0, 255).to(torch.uint8)


def _diagonals(place: Tensor) -> tuple[Tensor, Tensor]:
    return (place[:, None] + place) / 2, (place[:, None] - place) / 2


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Tensor]:
    """`drawn(count, size, seed)`: pictures uint8 (count, 3, size, size)."""
    return _drawn


def _stand_in() -> dict[str, ModuleType]:
    """All that torch-fidelity's Inception and CLIP use of torchvision, which is `normalize`, and names it imports."""
    names = ("torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.transforms.functional")
    modules = {name: ModuleType(name) for name in names}
    for name, module in modules.items():
        module.__spec__ = ModuleSpec(name, None)
    top, datasets, transforms, functional = modules.values()
    top.datasets, top.transforms, transforms.functional = datasets, transforms, functional
    for name in ("CIFAR10", "CIFAR100", "STL10"):
        setattr(datasets, name, type(name, (), {}))
    functional.normalize = _normalize
    return modules


def _normalize(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...], *, inplace: bool) -> Tensor:
    assert not inplace
    mean, std = (torch.tensor(values, dtype=images.dtype).view(-1, 1, 1) for values in (mean, std))
    return (images - mean) / std


@pytest.fixture(scope="module")
def fidelity() -> Iterator[ModuleType]:
    """torch-fidelity, with a stand-in where torchvision is missing; both are forgotten afterwards."""
    before = set(sys.modules)
    if find_spec("torchvision") is None:
        sys.modules.update(_stand_in())
    yield pytest.importorskip("torch_fidelity")
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("torch_fidelity", "torchvision"):
            del sys.modules[name]
