from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor

from steadygan.features import Scattering
from steadygan.features.scattering import morlets, resized
from telling import telling

Drawn = Callable[..., Tensor]

FLOOR = 1 / 255
LUMA, CHROMA, SECOND = 3.5, 4.7, 1.5
AREAS, FIRST, QUADRANTS, PAIRS = slice(0, 48), slice(48, 120), slice(120, 136), slice(136, 172)


def features(images: Tensor) -> Tensor:
    return Scattering().build(torch.device("cpu"))(images).features


def first(images: Tensor) -> Tensor:
    """S of every plane, octave and orientation: (N, 3, 4, 6)."""
    centred = features(images)[:, FIRST].double().view(-1, 3, 4, 6)
    return (centred - torch.tensor([LUMA, CHROMA, CHROMA]).view(3, 1, 1)).exp() - FLOOR


def quadrants(images: Tensor) -> Tensor:
    return (features(images)[:, QUADRANTS].double() - LUMA).exp().view(-1, 4, 2, 2) - FLOOR


def second(images: Tensor) -> Tensor:
    """R of every pair of octaves and turn: (N, 6, 6)."""
    contrast = first(images)[:, 0, [0, 0, 0, 1, 1, 2]].mean(2, keepdim=True) + FLOOR
    return ((features(images)[:, PAIRS].double().view(-1, 6, 6) - SECOND).exp() - 0.01) * contrast


def waves(octave: int, orientation: int, amplitude: float = 0.25) -> Tensor:
    """A grey wave (1, 1, 64, 64) whose length and direction are those of one filter."""
    frequency = 5 * math.pi / 8 / 2**octave
    angle = math.pi * orientation / 6
    place = torch.arange(64, dtype=torch.float64)
    phase = frequency * (place * math.cos(angle) + place[:, None] * math.sin(angle))
    return (255 * (0.5 + amplitude * phase.cos())).round().to(torch.uint8)[None, None]


def slow(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The definition, step by step and in NumPy, of one picture (3, 64, 64)."""
    red, green, blue = picture / 255
    planes = [(red + green + blue) / 3, (red - green) / 2**0.5, (red + green - 2 * blue) / 6**0.5]
    areas = [plane.reshape(4, 16, 4, 16).mean((1, 3)).ravel() for plane in planes]
    order_0 = np.concatenate([(areas[0] - 0.5) * 4, areas[1] * 8, areas[2] * 8])
    octaves = [[plane] for plane in planes]
    for levels in octaves:
        for _ in range(3):
            levels.append(slow_half(levels[-1]))
    moduli = [[slow_moduli(level) for level in levels] for levels in octaves]
    means = np.array([[level.mean((1, 2)) for level in plane] for plane in moduli])
    order_1 = np.log(means + FLOOR) + np.array([LUMA, CHROMA, CHROMA])[:, None, None]
    corners = [
        level[:, rows, columns].mean()
        for level in moduli[0]
        for half in [level.shape[1] // 2]
        for rows in (slice(half), slice(half, None))
        for columns in (slice(half), slice(half, None))
    ]
    order_2 = []
    for a, b in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
        inner = moduli[0][a]
        contrast = inner.mean()
        for _ in range(b - a):
            inner = np.stack([slow_half(each) for each in inner])
        outer = np.array([slow_moduli(each).mean((1, 2)) for each in inner])
        for turn in range(6):
            mean = np.mean([outer[line, (line + turn) % 6] for line in range(6)])
            order_2.append(np.log(mean / (contrast + FLOOR) + 0.01) + SECOND)
    return np.concatenate([order_0, order_1.ravel(), np.log(np.array(corners) + FLOOR) + LUMA, order_2])


def slow_half(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    for _ in range(2):
        padded = np.pad(plane, ((1, 1), (0, 0)), mode="edge")
        rows = [padded[start : start + len(plane)][::2] for start in range(3)] + [padded[3::2]]
        plane = sum(weight * part for weight, part in zip((1, 3, 3, 1), rows, strict=True)).T / 8
    return plane


def slow_moduli(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    windows = sliding_window_view(np.pad(plane, 3, mode="reflect"), (7, 7))
    y, x = np.mgrid[-3:4, -3:4]
    envelope = np.exp(-(x**2 + y**2) / (2 * 1.1**2))
    found = []
    for line in range(6):
        angle = line * math.pi / 6
        wave = np.exp(1j * 5 * math.pi / 8 * (x * math.cos(angle) + y * math.sin(angle)))
        psi = envelope * (wave - (envelope * wave).sum() / envelope.sum())
        psi *= 2 / (psi * wave.conj()).sum()
        found.append(np.abs(np.einsum("abij,ij->ab", windows, psi)))
    return np.array(found)


def test_it_is_what_its_definition_says_in_another_language(drawn: Drawn) -> None:
    pictures = drawn(2, 64)
    for picture, row in zip(pictures, features(pictures), strict=True):
        np.testing.assert_allclose(row.numpy(), slow(picture.numpy()), atol=1e-4)


def test_the_numbers_of_natural_statistics_are_of_order_one(drawn: Drawn) -> None:
    rows = features(drawn(64, 64))
    for part in (AREAS, FIRST, QUADRANTS, PAIRS):
        assert rows[:, part].mean().abs() < 1
        assert 0.1 < rows[:, part].std() < 3


def test_filters_have_no_mean_and_unit_gain() -> None:
    psi = morlets()
    assert psi.sum((1, 2)).abs().max() < 1e-12
    assert torch.allclose(psi, psi.flip(1, 2).conj())  # the phase at the middle is 0


@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_a_flat_picture_has_its_grey_level_and_nothing_else(level: int) -> None:
    row = features(torch.full((1, 3, 64, 64), level, dtype=torch.uint8))[0]
    floor = math.log(FLOOR)
    expected = [(level / 255 - 0.5) * 4] * 16 + [0] * 32 + [floor + LUMA] * 24 + [floor + CHROMA] * 48
    assert torch.allclose(row, torch.tensor(expected + [floor + LUMA] * 16 + [math.log(0.01) + SECOND] * 36), atol=2e-3)


def test_a_wave_excites_its_own_octave_and_direction_most() -> None:
    pictures = torch.cat([waves(octave, line) for octave in range(4) for line in range(6)])
    strongest = first(pictures)[:, 0].flatten(1).argmax(1)
    assert strongest.tolist() == list(range(24))


def test_a_wave_of_the_first_octave_has_its_amplitude_as_its_modulus() -> None:
    for line in range(6):
        assert first(waves(0, line, 0.2))[0, 0, 0, line] == pytest.approx(0.2, rel=0.06)


def test_each_octave_sees_what_the_low_pass_leaves_of_a_wave() -> None:
    # the filter [1, 3, 3, 1] / 8 leaves cos³(ω/2) of a wave of frequency ω
    left = math.cos(5 * math.pi / 32) ** 3
    assert first(waves(1, 0, 0.2))[0, 0, 1, 0] == pytest.approx(0.2 * left, rel=0.06)


def test_a_quarter_turn_swaps_areas_and_directions_only(drawn: Drawn) -> None:
    pictures = drawn(4, 64)
    rows, turned = features(pictures), features(pictures.rot90(1, (2, 3)))
    areas = rows[:, AREAS].view(-1, 3, 4, 4).rot90(1, (2, 3)).flatten(1)
    directions = rows[:, FIRST].view(-1, 3, 4, 6).roll(3, 3).flatten(1)
    corners = rows[:, QUADRANTS].view(-1, 4, 2, 2).rot90(1, (2, 3)).flatten(1)
    assert torch.allclose(turned, torch.cat([areas, directions, corners, rows[:, PAIRS]], 1), atol=2e-3)
    assert not torch.allclose(turned, rows, atol=0.1)


def test_a_mirror_turns_directions_round(drawn: Drawn) -> None:
    pictures = drawn(4, 64)
    back = [0, 5, 4, 3, 2, 1]
    lines = first(pictures)[..., back]
    assert torch.allclose(first(pictures.flip(3)), lines, rtol=1e-3, atol=1e-5)
    pairs = features(pictures)[:, PAIRS].view(-1, 6, 6)[..., back]
    assert torch.allclose(features(pictures.flip(3))[:, PAIRS].view(-1, 6, 6), pairs, atol=2e-3)


def test_more_light_changes_order_zero_only(drawn: Drawn) -> None:
    dark = drawn(4, 64) // 2
    rows, brighter = features(dark), features(dark + 40)
    assert torch.allclose(brighter[:, :16] - rows[:, :16], torch.tensor(40 / 255 * 4), atol=1e-4)
    assert torch.allclose(brighter[:, 16:], rows[:, 16:], atol=2e-3)


def test_twice_the_contrast_doubles_the_moduli_and_leaves_order_two(drawn: Drawn) -> None:
    difference = drawn(4, 64).short() // 4 - 30
    one, two = ((128 + factor * difference).to(torch.uint8) for factor in (1, 2))
    assert torch.allclose(first(two), 2 * first(one), rtol=1e-3, atol=1e-5)
    assert torch.allclose(quadrants(two), 2 * quadrants(one), rtol=1e-3, atol=1e-5)
    assert torch.allclose(second(two), 2 * second(one), rtol=1e-3, atol=1e-5)
    assert (features(two) - features(one))[:, PAIRS].abs().max() < 0.5  # the floor's doing


def test_texture_in_one_corner_is_seen_there() -> None:
    picture = torch.full((1, 1, 64, 64), 128, dtype=torch.uint8)
    picture[..., :32, 32:] = waves(0, 2)[..., :32, 32:]
    found = quadrants(picture)[0, 0]
    assert found[0, 1] > 10 * found[[0, 1, 1], [0, 0, 1]].max()


def test_each_colour_contrast_is_seen_in_its_own_plane() -> None:
    wave = waves(1, 1).squeeze().short() - 128
    zero = torch.zeros_like(wave)
    for plane, change in ((1, [wave, -wave, zero]), (2, [wave // 2, wave // 2, -(wave // 2) * 2])):
        found = first((128 + torch.stack(change)).to(torch.uint8)[None])[0, :, 1, 1]
        assert found.argmax() == plane
        assert found[plane] > 10 * found[[p for p in range(3) if p != plane]].max()


def test_an_envelope_that_varies_is_seen_by_order_two() -> None:
    wave = waves(0, 0).float() - 127.5
    slow_wave = torch.cos(5 * math.pi / 32 * torch.arange(64))
    across, along = ((127.5 + wave * (0.5 + 0.5 * each)).to(torch.uint8) for each in (slow_wave[:, None], slow_wave))
    plain, rows, columns = (features(images)[0, PAIRS].view(6, 6) for images in (waves(0, 0), across, along))
    pair = 1  # octaves 0 and 2
    assert rows[pair].argmax() == 3  # the envelope at a right angle to the wave
    assert columns[pair].argmax() == 0  # in its direction
    assert min(rows[pair, 3], columns[pair, 0]) > plain[pair].max() + 1


@pytest.mark.parametrize("size", [20, 32, 64, 100])
def test_resizing_is_pillows_bicubic(size: int, drawn: Drawn) -> None:
    plane = drawn(1, size)[0, 0]
    expected = np.asarray(Image.fromarray(plane.float().numpy()).resize((64, 64), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(resized(plane[None, None].float(), 64)[0, 0], expected, atol=2e-3)


def frechet(real: Tensor, fake: Tensor) -> float:
    means, roots, covariances = [], [], []
    for rows in (real.double(), fake.double()):
        means.append(rows.mean(0))
        covariances.append(rows.T.cov())
        values, vectors = torch.linalg.eigh(covariances[-1])
        roots.append(vectors * values.clamp(min=0).sqrt() @ vectors.T)
    overlap = torch.linalg.svdvals(roots[0] @ roots[1]).sum()
    traces = covariances[0].trace() + covariances[1].trace()
    return float((means[0] - means[1]).square().sum() + traces - 2 * overlap)


def _each(change):
    def changed(images: Tensor, strength: float) -> Tensor:
        pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images]
        return torch.stack([torch.from_numpy(np.array(change(p, strength))).permute(2, 0, 1) for p in pictures])

    return changed


def _jpeg(picture: Image.Image, strength: float) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "jpeg", quality=round(100 - 25 * strength))
    return Image.open(file)


def _noise(images: Tensor, strength: float) -> Tensor:
    return (images + 8 * strength * torch.randn(images.shape)).round().clamp(0, 255).to(torch.uint8)


def _redder(images: Tensor, strength: float) -> Tensor:
    return (images + torch.tensor([6.0, 0, -6])[:, None, None] * strength).clamp(0, 255).to(torch.uint8)


def _fewer_kinds(images: Tensor, strength: float) -> Tensor:
    """The first four of each kind of stripe are one of each: keep only some kinds, as often repeated."""
    kept = [place for place in range(len(images)) if place % 4 >= strength]
    return images[(kept * 4)[: len(images)]]


def _repeated(images: Tensor, strength: float) -> Tensor:
    return images[torch.arange(len(images)) % round(len(images) / 3**strength)]


DISTURBANCES = {
    "blur": _each(lambda picture, strength: picture.filter(ImageFilter.GaussianBlur(0.4 * strength))),
    "jpeg": _each(_jpeg),
    "noise": _noise,
    "colour": _redder,
    "missing kinds": _fewer_kinds,
    "repetition": _repeated,
}


@pytest.fixture(scope="module")
def real(drawn: Drawn) -> Tensor:
    return features(drawn(96, 32, seed=1))


@pytest.mark.parametrize("disturbance", telling(DISTURBANCES, "blur", "noise", "missing kinds"))
def test_the_frechet_distance_rises_with_a_disturbance(disturbance: str, real: Tensor, drawn: Drawn) -> None:
    fake = drawn(96, 32, seed=2)
    little, much = (frechet(real, features(DISTURBANCES[disturbance](fake, strength))) for strength in (1, 3))
    assert frechet(real, features(fake)) < little < much


def test_gradients_of_plain_pictures_are_numbers():
    """The modulus has none at 0, where all chroma of a grey picture and all detail of a plain one lies."""
    network = Scattering().build(torch.device("cpu")).network
    for picture in (torch.full((1, 3, 64, 64), 90.0), torch.rand(1, 1, 64, 64).mul(255).expand(-1, 3, -1, -1).clone()):
        picture.requires_grad_()
        (gradient,) = torch.autograd.grad(network(picture).features.sum(), picture)
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0
