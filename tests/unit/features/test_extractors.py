"""What every extractor keeps to, over the union itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from steadygan.errors import DataError
from steadygan.features import (
    AnyFeatures,
    Described,
    Exported,
    PictureExtractor,
    Scattering,
)

CPU = torch.device("cpu")
Drawn = Callable[..., Tensor]
MEMBERS = get_args(get_args(AnyFeatures)[0])
KINDS = {member.model_fields["kind"].default: member for member in MEMBERS}


@pytest.fixture
def scattering() -> PictureExtractor:
    return Scattering().build(CPU)


@pytest.fixture
def convolved(tmp_path: Path) -> PictureExtractor:
    """Some network of one's own."""
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    torch.export.save(torch.export.export(layers, (torch.rand(4, 3, 24, 24),)), tmp_path / "net.pt2")
    return Exported(path=tmp_path / "net.pt2", size=24).build(CPU)


@pytest.fixture(params=["scattering", "convolved"])
def extractor(request: pytest.FixtureRequest) -> PictureExtractor:
    """Those that need no library and no weights; the others have tests of their own."""
    return request.getfixturevalue(request.param)


def test_every_member_is_tested_somewhere() -> None:
    assert set(KINDS) == {"scattering", "exported", "inception", "clip", "dinov2", "efficientnet"}


def test_the_default_can_be_named_by_its_kind() -> None:
    assert TypeAdapter(AnyFeatures).validate_python("scattering") == Scattering()


def test_rows_do_not_depend_on_the_batch(extractor: PictureExtractor, drawn: Drawn) -> None:
    images = drawn(37, 32)
    whole = extractor(images).features
    for size in (1, 5, 36):
        parts = torch.cat([extractor(part).features for part in images.split(size)])
        assert torch.allclose(parts, whole, atol=1e-5)


def test_rows_are_ordinary_float32_numbers_on_the_processor(extractor: PictureExtractor, drawn: Drawn) -> None:
    features = extractor(drawn(3, 32)).features
    assert features.dtype == torch.float32
    assert features.shape == (3, extractor.dimensions)
    assert not features.is_inference()
    assert not features.requires_grad


def test_rows_are_the_same_twice_and_under_autocast(extractor: PictureExtractor, drawn: Drawn) -> None:
    images = drawn(3, 32)
    features = extractor(images).features
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(extractor(images).features, features)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("light", [False, True])
def test_nothing_but_full_float32_is_on_inside(light: bool) -> None:
    seen = []

    def look(images: Tensor) -> Described:
        precisions = (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32)
        seen.append((torch.is_autocast_enabled("cpu"), torch.is_inference_mode_enabled(), *precisions))
        return Described(images.float().mean((2, 3)))

    before = torch.backends.cudnn.allow_tf32
    extractor = PictureExtractor(look, name="look", dimensions=3, fingerprint="look", device=CPU, light=light)
    with torch.autocast("cpu", torch.bfloat16):
        extractor(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    assert seen == [(False, True, "highest", False)]
    assert torch.backends.cudnn.allow_tf32 == before


@pytest.mark.parametrize("threads", [1, 3])
def test_numbers_and_order_do_not_depend_on_the_threads(threads: int, drawn: Drawn) -> None:
    images, before = drawn(50, 32), torch.get_num_threads()
    alone = torch.cat([Scattering().build(CPU)(image[None]).features for image in images])
    try:
        torch.set_num_threads(threads)
        assert torch.allclose(Scattering().build(CPU)(images).features, alone, atol=1e-5)
        assert torch.get_num_threads() == threads
        assert _of_a_new_thread(torch.get_num_threads) == threads
    finally:
        torch.set_num_threads(before)


def test_an_error_in_a_thread_is_raised_here() -> None:
    def fail(images: Tensor) -> Described:
        raise MemoryError

    extractor = PictureExtractor(fail, name="x", dimensions=1, fingerprint="x", device=CPU, light=True)
    with pytest.raises(MemoryError):
        extractor(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))


def _of_a_new_thread(ask: Callable[[], int]) -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result()


def test_pictures_are_left_as_they_were(extractor: PictureExtractor, drawn: Drawn) -> None:
    images = drawn(3, 32)
    before = images.clone()
    extractor(images)
    assert torch.equal(images, before)


def test_grey_is_repeated_and_a_fourth_channel_left_out(extractor: PictureExtractor, drawn: Drawn) -> None:
    images = drawn(3, 32)
    grey = extractor(images[:, :1].expand(-1, 3, -1, -1)).features
    assert torch.equal(extractor(images[:, :1]).features, grey)
    assert torch.equal(extractor(images[:, :2]).features, grey)
    five = torch.cat([images, images[:, :2] // 2], 1)
    assert torch.equal(extractor(five).features, extractor(images).features)
    assert not torch.allclose(extractor(images).features, grey, atol=0.01)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.zeros(2, 3, 16, 16), "uint8 pictures, 0 to 255, not of torch.float32"),
        (torch.zeros(3, 16, 16, dtype=torch.uint8), r"pictures \(N, C, S, S\), not of \(3, 16, 16\)"),
        (torch.zeros(2, 0, 16, 16, dtype=torch.uint8), r"not of \(2, 0, 16, 16\)"),
        (torch.zeros(0, 3, 16, 16, dtype=torch.uint8), "there are no pictures"),
        (torch.zeros(2, 3, 16, 24, dtype=torch.uint8), "square pictures, not of 24 × 16 pixels"),
        (torch.zeros(2, 3, 7, 7, dtype=torch.uint8), "8 pixels or more, not 7"),
    ],
)
def test_anything_but_pictures_is_refused_in_a_sentence(images: Tensor, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        Scattering().build(CPU)(images)


@pytest.mark.parametrize(
    ("value", "shape", "sentence"),
    [(float("nan"), 4, "not finite"), (float("inf"), 4, "not finite"), (0.0, 5, r"are \(2, 5\), not \(2, 4\)")],
)
def test_numbers_that_are_none_are_refused(value: float, shape: int, sentence: str) -> None:
    extractor = PictureExtractor(
        lambda images: Described(torch.full((len(images), shape), value)),
        name="odd",
        dimensions=4,
        fingerprint="odd",
        device=CPU,
    )
    with pytest.raises(DataError, match=sentence):
        extractor(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))


def test_logits_go_with_their_pictures() -> None:
    extractor = PictureExtractor(
        lambda images: Described(images.float().mean((2, 3)), -images.float().mean((2, 3))),
        name="classifier",
        dimensions=3,
        classes=3,
        fingerprint="classifier",
        device=CPU,
        at_once=2,
    )
    found = extractor(torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 3, 8, 8))
    assert found.features[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert torch.equal(found.logits, -found.features)


@pytest.mark.gpu
def test_an_accelerator_gives_the_same_numbers(drawn: Drawn) -> None:
    images = drawn(20, 48)
    here, there = (Scattering().build(torch.device(name))(images).features for name in ("cpu", "cuda"))
    assert torch.allclose(here, there, atol=1e-4)
