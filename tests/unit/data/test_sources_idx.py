from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steadygan.data.sources.folder import Folder
from steadygan.data.sources.idx import Idx
from steadygan.data.sources.opening import list_items, open_source
from steadygan.errors import ConfigError, DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 5, 7), np.uint8)
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(*shape: int, data: bytes, dtype: int = 8) -> bytes:
    return struct.pack(f">4B{len(shape)}i", 0, 0, dtype, len(shape), *shape) + data


def images(path: Path, data: bytes = PIXELS.tobytes()) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = idx(3, 5, 7, data=data)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def labels(path: Path, *numbers: int) -> Path:
    content = idx(len(numbers), data=bytes(numbers))
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_each_picture_of_an_idx_file_is_an_image_file_of_its_own(tmp_path: Path) -> None:
    labels(tmp_path / LABELS, 7, 0, 9)
    listing = list_items([open_source(images(tmp_path / IMAGES))])
    assert [(item.name, item.label) for item in listing.items] == [
        ("train-images/000000", "7"), ("train-images/000001", "0"), ("train-images/000002", "9"),
    ]  # fmt: skip
    for item, pixels in zip(listing.items, PIXELS, strict=True):
        with item.open() as stream:
            data = stream.read()
        assert len(data) == item.size
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.mode) == ("PPM", "L")
            assert (np.asarray(image) == pixels).all()


def test_without_labels_beside_it_an_idx_file_has_none(tmp_path: Path) -> None:
    listing = list_items([Idx(path=images(tmp_path / IMAGES))])
    assert {item.label for item in listing.items} == {None}


@pytest.mark.parametrize(("left", "right"), [("", ".gz"), (".gz", ""), (".gz", ".gz")])
def test_images_and_labels_may_be_packed_or_not(left: str, right: str, tmp_path: Path) -> None:
    labels(tmp_path / f"{LABELS}{right}", 1, 2, 3)
    listing = list_items([open_source(images(tmp_path / f"{IMAGES}{left}"))])
    assert [item.label for item in listing.items] == ["1", "2", "3"]


def test_the_names_with_a_dot_are_known_too(tmp_path: Path) -> None:
    labels(tmp_path / "emnist-letters-train-labels.idx1-ubyte", 1, 2, 3)
    listing = list_items([open_source(images(tmp_path / "emnist-letters-train-images.idx3-ubyte"))])
    assert listing.items[0].name == "emnist-letters-train-images/000000"
    assert [item.label for item in listing.items] == ["1", "2", "3"]


def test_a_folder_of_idx_files_gives_all_pictures_once_with_their_digits(tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    for name in ("train", "t10k"):
        for suffix in ("", ".gz"):  # both are there after a download by torchvision
            images(folder / f"{name}-images-idx3-ubyte{suffix}")
            labels(folder / f"{name}-labels-idx1-ubyte{suffix}", 1, 2, 1)
    source = open_source(tmp_path)
    assert isinstance(source, Folder)
    listing = list_items([source])
    assert [(item.name, item.label) for item in listing.items][2:4] == [
        ("MNIST/raw/t10k-images/000002", "1"), ("MNIST/raw/train-images/000000", "1"),
    ]  # fmt: skip
    assert len(listing.items) == 6
    assert dict(listing.passed_over) == {"labels of idx": 2, "packed copy of another file": 4}


def test_two_idx_files_without_labels_are_no_two_classes(tmp_path: Path) -> None:
    images(tmp_path / "train-images-idx3-ubyte")
    images(tmp_path / "t10k-images-idx3-ubyte")
    assert {item.label for item in list_items([Folder(path=tmp_path)]).items} == {None}


def test_a_damaged_idx_file_in_a_folder_does_not_spoil_the_others(tmp_path: Path) -> None:
    images(tmp_path / "t10k-images-idx3-ubyte")
    images(tmp_path / "train-images-idx3-ubyte", PIXELS.tobytes()[:-1])
    listing = list_items([open_source(tmp_path)])
    assert len(listing.items) == 3
    (problem,) = listing.problems
    assert (problem.file, "is cut short" in problem.reason) == ("train-images-idx3-ubyte", True)


def test_a_changed_pixel_changes_the_fingerprint_and_a_copy_does_not(tmp_path: Path) -> None:
    first = list_items([Idx(path=images(tmp_path / "a" / IMAGES))])
    same = list_items([Idx(path=images(tmp_path / "b" / f"{IMAGES}.gz"))])
    other = list_items([Idx(path=images(tmp_path / "c" / IMAGES, (255 - PIXELS).tobytes()))])
    assert first.fingerprint == same.fingerprint != other.fingerprint


def test_the_file_of_labels_is_refused_and_names_the_one_to_give(tmp_path: Path) -> None:
    path = labels(tmp_path / f"{LABELS}.gz", 1, 2, 3)
    with pytest.raises(ConfigError, match=r"holds 3 labels and no pictures; give the file of the images, like train-"):
        open_source(path)
    images(tmp_path / f"{IMAGES}.gz")
    with pytest.raises(ConfigError, match=r"and no pictures; give .*/train-images-idx3-ubyte\.gz instead"):
        open_source(path)


def test_labels_of_another_number_are_refused(tmp_path: Path) -> None:
    labels(tmp_path / LABELS, 1, 2)
    with pytest.raises(DataError, match="holds 3 pictures and train-labels-idx1-ubyte 2 labels; they do not belong"):
        open_source(images(tmp_path / IMAGES))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (idx(3, 5, 7, data=bytes(104)), "is cut short: 3×5×7 are 105 bytes, and 104 are there; get it again"),
        (idx(3, 5, 7, data=bytes(105))[:10], "is cut short: 3×.* get it again"),
        (idx(3, 5, 7, data=bytes(420), dtype=0x0D), "holds numbers of type float; only idx files of ubyte are read"),
        (idx(3, 5, data=bytes(15)), "is an array of 3×5; pictures are N×height×width or N×height×width×3"),
        (idx(3, 5, 7, 2, data=bytes(210)), "is an array of 3×5×7×2; pictures are"),
        (idx(3, 0, 7, data=b""), "is an array of 3×0×7; pictures are"),
        (b"\x89PNG\r\n\x1a\n", "does not begin like an idx file; get it again"),
        (b"", "does not begin like an idx file; get it again"),
    ],
)
def test_what_is_wrong_with_an_idx_file_is_said_with_numbers(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / IMAGES).write_bytes(content)
    with pytest.raises(DataError, match=words):
        open_source(tmp_path / IMAGES)


def test_a_packed_idx_file_that_is_cut_short_says_how_much_is_there(tmp_path: Path) -> None:
    path = images(tmp_path / f"{IMAGES}.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"is cut short: 3×5×7 are 105 bytes, and \d+ are there"):
        open_source(path)


def test_the_ten_thousand_digits(shared_data: Path) -> None:
    listing = list_items([open_source(shared_data / "mnist")])
    assert len(listing.items) == 10_000
    assert [item.label for item in listing.items[:5]] == ["7", "2", "1", "0", "4"]
    with gzip.open(shared_data / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        expected = file.read()[16 + 784 * 4321 :][:784]
    with listing.items[4321].open() as stream, Image.open(io.BytesIO(stream.read())) as image:
        assert image.tobytes() == expected
