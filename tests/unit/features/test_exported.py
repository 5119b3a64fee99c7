from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from steadygan.errors import DataError
from steadygan.features import Exported

CPU = torch.device("cpu")
NEUTRAL = {"mean": (0, 0, 0), "std": (1, 1, 1)}
Drawn = Callable[..., Tensor]


class Means(nn.Module):
    """The mean of each channel, and of its square."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images.mean((2, 3)), images.square().mean((2, 3))], 1)


class Pair(Means):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(images), images


class Flat(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((1, 2, 3))


def script(network: nn.Module, file: Path, size: int = 32) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, torch.rand(4, 3, size, size)).save(str(file))
    return file


def program(network: nn.Module, file: Path, batch: int | None, size: int = 32) -> Path:
    """Exported for `batch` pictures at once, or for any number."""
    pictures = torch.rand(batch or 4, 3, size, size)
    shapes = None if batch else {"images": {0: torch.export.Dim("batch")}}
    torch.export.save(torch.export.export(network, (pictures,), dynamic_shapes=shapes), file)
    return file


MAKERS = {
    "TorchScript": lambda folder: script(Means(), folder / "net.pt"),
    "TorchScript of a pair": lambda folder: script(Pair(), folder / "net.torchscript"),
    "program": lambda folder: program(Means(), folder / "net.pt2", None),
    "program of a pair": lambda folder: program(Pair(), folder / "net.pt2", None),
    "program for 5 pictures": lambda folder: program(Means(), folder / "net.pt2", 5),
    "program for 1 picture": lambda folder: program(Means(), folder / "net.pt2", 1),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_every_form_of_file_gives_the_networks_numbers(maker: str, tmp_path: Path, drawn: Drawn) -> None:
    extractor = Exported(path=MAKERS[maker](tmp_path), size=32, **NEUTRAL).build(CPU)
    images = drawn(18, 32)
    expected = Means()(images.float() / 255)
    assert extractor.dimensions == 6
    assert torch.allclose(extractor(images).features, expected, atol=1e-5)
    assert torch.allclose(extractor(images[7:8]).features, expected[7:8], atol=1e-5)
    assert extractor(images).logits is None


def test_mean_and_deviation_are_taken_off_in_the_order_of_the_channels(tmp_path: Path, drawn: Drawn) -> None:
    file = script(Means(), tmp_path / "net.pt")
    images = drawn(2, 32)
    means = Means()(images.float() / 255)[:, :3]
    mean, std = (0.1, 0.2, 0.3), (0.5, 2, 4)
    found = Exported(path=file, size=32, mean=mean, std=std).build(CPU)(images).features[:, :3]
    assert torch.allclose(found, (means - torch.tensor(mean)) / torch.tensor(std), atol=1e-5)


@pytest.mark.parametrize("resize", ["bilinear", "bicubic"])
def test_pictures_are_brought_to_size_without_aliasing(resize: str, tmp_path: Path) -> None:
    file = script(Means(), tmp_path / "net.pt", 16)
    checkered = 255 * (torch.arange(64) % 2).repeat(2, 3, 64, 1).to(torch.uint8)
    found = Exported(path=file, size=16, resize=resize, **NEUTRAL).build(CPU)(checkered).features
    assert torch.allclose(found[:, :3], torch.tensor(0.5), atol=1e-3)
    assert torch.allclose(found[:, 3:], torch.tensor(0.25), atol=1e-2)  # 0.5 if every fourth pixel were taken


def test_the_fingerprint_is_the_file_and_how_pictures_are_prepared(tmp_path: Path) -> None:
    file = script(Means(), tmp_path / "net.pt")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    fingerprint = Exported(path=file, size=32, resize="bilinear", mean=(0.5, 0.5, 0.5)).build(CPU).fingerprint
    assert fingerprint == (
        f"exported resize=bilinear-antialiased-32 mean=0.5,0.5,0.5 std=0.229,0.224,0.225 weights={digest}"
    )


def test_a_network_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gives \(16,\) for 16 pictures, where \(16, D\) is needed"):
        Exported(path=script(Flat(), tmp_path / "net.pt"), size=32).build(CPU)


def test_a_network_for_another_size_is_refused(tmp_path: Path) -> None:
    file = program(Means(), tmp_path / "net.pt2", None, size=48)
    with pytest.raises(DataError, match=r"net\.pt2 does not take pictures \(16, 3, 32, 32\)"):
        Exported(path=file, size=32).build(CPU)


@pytest.mark.parametrize("name", ["net.pt", "net.pt2"])
def test_a_file_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(DataError, match="cannot be read as an exported network"):
        Exported(path=tmp_path / name).build(CPU)
    with pytest.raises(DataError, match="there is no file"):
        Exported(path=tmp_path / f"no-{name}").build(CPU)


def test_a_deviation_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError):
        Exported(path=Path("net.pt"), std=(1, 0, 1))
