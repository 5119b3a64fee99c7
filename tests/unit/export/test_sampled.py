"""Sampled pictures are a tensor like any other, which shows itself."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from steadygan.export.sampled import Sampled


@pytest.fixture
def plain():
    return torch.randint(0, 256, (6, 3, 8, 8), dtype=torch.uint8)


@pytest.fixture
def pictures(plain):
    return plain.as_subclass(Sampled)


def saved(pictures: Tensor) -> Tensor:
    torch.save(pictures, file := io.BytesIO())
    file.seek(0)
    return torch.load(file, weights_only=True)


def compiled(pictures: Tensor) -> Tensor:
    return torch.compile(lambda it: it / 2, backend="eager")(pictures)


@pytest.mark.parametrize(
    "use",
    [
        lambda it: it + 1,
        lambda it: it.float(),
        lambda it: it[0],
        lambda it: it.permute(0, 2, 3, 1),
        lambda it: it.eq(it),
        lambda it: torch.cat([it, it]),
        lambda it: it.split(2)[1],
        lambda it: torch.stack(list(it)),
        lambda it: next(iter(DataLoader(TensorDataset(it), batch_size=6)))[0],
        lambda it: torch.from_numpy(it.numpy()),
        pytest.param(compiled, marks=pytest.mark.slow),
        lambda it: pickle.loads(pickle.dumps(it)),
        copy.copy,
        copy.deepcopy,
        saved,
    ],
)
def test_what_becomes_of_them_is_plain_and_the_same_as_of_any_tensor(pictures, plain, use):
    found = use(pictures)
    assert type(found) is Tensor
    assert torch.equal(found, use(plain))


def test_they_are_a_tensor_and_print_as_one(pictures, plain):
    assert isinstance(pictures, Tensor)
    assert torch.equal(pictures, plain)
    assert repr(pictures) == repr(plain)
    assert str(pictures) == str(plain)
    assert pictures.plain().data_ptr() == plain.data_ptr()


@pytest.mark.parametrize(("count", "columns"), [(6, 6), (4, 4), (36, 8), (1000, 12)])
def test_they_show_themselves_as_a_grid_of_at_most_144(pictures, count, columns):
    shown = Image.open(io.BytesIO(pictures.plain().repeat(167, 1, 1, 1)[:count].as_subclass(Sampled)._repr_png_()))
    assert shown.format == "PNG"
    width = (shown.width - 2) / columns - 2
    assert width == width // 8 * 8


def test_a_choice_of_them_shows_itself_too(pictures, plain):
    chosen = pictures[[4, 1]]
    again = plain[[4, 1]].as_subclass(Sampled)
    assert chosen._repr_png_() == again._repr_png_()
    assert chosen._repr_png_() != pictures._repr_png_()


def test_what_is_no_batch_of_pictures_shows_nothing(plain):
    for other in (plain[:0], plain.float(), plain[0]):
        assert other.as_subclass(Sampled)._repr_png_() is None


def test_points_are_shown_where_they_lie():
    points = torch.randint(0, 256, (50, 2, 1, 1), dtype=torch.uint8).as_subclass(Sampled)
    assert Image.open(io.BytesIO(points._repr_png_())).size == (512, 512)
