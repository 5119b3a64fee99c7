from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from steadygan.data.builtin import AnyBuiltin, Critters, Drawing, Glyphs, Ring, modes_recovered, parse_builtin
from steadygan.data.builtin.glyphs import WAYS
from steadygan.errors import ConfigError

SETS = [kind() for kind in get_args(get_args(AnyBuiltin)[0])] + [Glyphs(stacked=True)]
every_set = pytest.mark.parametrize("chosen", SETS, ids=str)

FRESH = """
import hashlib, sys
from steadygan.data.builtin import parse_builtin
for text, size in ((sys.argv[1], int(sys.argv[2])),):
    chosen = parse_builtin(text)
    images = {index: chosen.draw(index, size).image.tobytes() for index in (7, 3, 0)}
    print(hashlib.sha256(b"".join(images[index] for index in sorted(images))).hexdigest())
"""


def address(chosen: AnyBuiltin) -> str:
    settings = [f"{name}={value}" for name, value in chosen.model_dump(exclude_defaults=True).items()]
    return f"builtin:{chosen.kind}?{'&'.join(settings)}"


def natural(chosen: AnyBuiltin, index: int) -> Drawing:
    return chosen.draw(index, chosen.spec(None).size)


@every_set
def test_a_drawing_has_the_form_that_the_spec_promises(chosen: AnyBuiltin) -> None:
    spec, drawing = chosen.spec(None), natural(chosen, 5)
    assert drawing.image.dtype == np.uint8
    assert drawing.image.shape == (spec.size, spec.size, spec.channels)
    assert len(chosen.class_names()) == spec.classes
    assert (drawing.label is None) if spec.classes == 0 else drawing.label in range(spec.classes)


@every_set
def test_a_fresh_process_with_another_hash_seed_and_order_draws_the_same_bytes(chosen: AnyBuiltin) -> None:
    here = hashlib.sha256(b"".join(natural(chosen, index).image.tobytes() for index in (0, 3, 7))).hexdigest()
    environment = os.environ | {"PYTHONHASHSEED": "123", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FRESH, address(chosen), str(chosen.spec(None).size)]
    there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


@every_set
def test_a_drawing_does_not_depend_on_what_was_drawn_before(chosen: AnyBuiltin) -> None:
    first = natural(chosen, 11)
    for index in (4, 9, 12):
        natural(chosen, index)
    again = natural(chosen, 11)
    np.testing.assert_array_equal(first.image, again.image)
    assert (first.attributes, first.label) == (again.attributes, again.label)


@every_set
def test_different_indices_give_different_images(chosen: AnyBuiltin) -> None:
    images = {natural(chosen, index).image.tobytes() for index in range(30)}
    assert len(images) == 30


@every_set
def test_a_set_survives_the_way_through_json(chosen: AnyBuiltin) -> None:
    assert type(chosen).model_validate_json(chosen.model_dump_json()) == chosen
    assert parse_builtin(address(chosen)) == chosen


@every_set
def test_a_size_out_of_range_is_refused_with_the_sizes_that_work(chosen: AnyBuiltin) -> None:
    with pytest.raises(ConfigError, match=rf"builtin:{chosen.kind} cannot be drawn at size 999; choose \d+"):
        chosen.spec(999)
    with pytest.raises(ConfigError, match="size 0"):
        chosen.draw(0, 0)


def reduced(image: NDArray[np.uint8], size: int) -> NDArray[np.float64]:
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BOX), np.float64)


@pytest.mark.parametrize("index", range(6))
def test_a_critter_is_the_same_critter_at_every_size(index: int) -> None:
    wanted = ((index, 32), (index, 128), (index + 1, 128))
    small, large, other = (Critters().draw(number, size) for number, size in wanted)
    near = np.abs(reduced(large.image, 32) - small.image).mean()
    far = np.abs(reduced(other.image, 32) - small.image).mean()
    assert near < 3
    assert near < far / 3
    assert (small.attributes, small.label) == (large.attributes, large.label)


def test_a_digit_is_the_same_digit_at_every_size() -> None:
    for index in range(5):
        small, large = Glyphs().draw(index, 16).image[:, :, 0], Glyphs().draw(index, 64).image[:, :, 0]
        assert np.abs(reduced(large, 16) - small).mean() < 1


def test_every_animal_is_as_frequent_as_the_others_and_named_by_its_label() -> None:
    drawings = [Critters().draw(index, 16) for index in range(1600)]
    names = Critters().class_names()
    assert all(drawing.attributes == {"animal": names[drawing.label or 0]} for drawing in drawings)
    counts = np.bincount([drawing.label or 0 for drawing in drawings], minlength=8)
    assert ((counts - 200) ** 2 / 200).sum() < 24.3  # chi-square with 7 degrees of freedom, p = 0.001


def test_the_nearest_known_critter_tells_which_animal_it_is() -> None:
    drawings = [Critters().draw(index, 16) for index in range(1000)]
    images = np.stack([drawing.image.ravel() for drawing in drawings]).astype(np.float32)
    labels = np.array([drawing.label for drawing in drawings])
    nearest = (images[800:] @ images[:800].T - (images[:800] ** 2).sum(axis=1) / 2).argmax(axis=1)
    assert (labels[nearest] == labels[800:]).mean() > 0.9


def test_a_critter_stands_in_the_middle_of_a_plain_bright_ground_that_differs_from_it() -> None:
    for index in range(100):
        image = Critters().draw(index, 32).image.astype(int)
        corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert (corners == corners[0]).all()
        assert corners.max() > 230
        assert np.abs(image[10:26, 10:22] - corners[0]).max(axis=2).mean() > 40


def test_critters_are_upright_and_their_edges_smooth() -> None:
    images = np.stack([Critters().draw(index, 64).image for index in range(30)]).astype(int)
    assert np.abs(images - images[:, :, ::-1]).mean() < np.abs(images - images[:, ::-1]).mean() / 1.5
    assert min(len(np.unique(image.reshape(-1, 3), axis=0)) for image in images) > 60


def test_channel_c_of_a_stacked_glyph_is_a_plain_glyph_and_the_mode_is_made_of_their_labels() -> None:
    for index in range(20):
        stacked = Glyphs(stacked=True).draw(index, 32)
        plain = [Glyphs().draw(3 * index + c, 32) for c in range(3)]
        np.testing.assert_array_equal(stacked.image, np.concatenate([one.image for one in plain], axis=-1))
        a, b, c = (one.label or 0 for one in plain)
        assert stacked.attributes["mode"] == 100 * a + 10 * b + c


def test_every_digit_is_as_frequent_as_the_others() -> None:
    labels = [Glyphs().draw(index, 8).label or 0 for index in range(2000)]
    counts = np.bincount(labels, minlength=10)
    expected = 200
    assert ((counts - expected) ** 2 / expected).sum() < 27.9  # chi-square with 9 degrees of freedom, p = 0.001


@pytest.mark.parametrize("size", [16, 32])
def test_the_nearest_known_glyph_tells_which_digit_it_is(size: int) -> None:
    drawings = [Glyphs().draw(index, size) for index in range(1400)]
    images = np.stack([drawing.image.ravel() for drawing in drawings]).astype(np.float32)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    labels = np.array([drawing.label for drawing in drawings])
    nearest = (images[1200:] @ images[:1200].T).argmax(axis=1)
    assert (labels[nearest] == labels[1200:]).mean() > 0.93


def test_a_digit_keeps_clear_of_the_border() -> None:
    for index in range(100):
        image = Glyphs().draw(index, 32).image[:, :, 0]
        assert image.max() > 120
        assert max(image[0].max(), image[-1].max(), image[:, 0].max(), image[:, -1].max()) == 0


def test_there_are_ways_to_write_all_ten_digits() -> None:
    assert len(WAYS) == 10
    assert all(WAYS)


def ring_points(ring: Ring, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    images, labels = ring.draw_many(0, count)
    return images[:, 0, 0] / 127.5 - 1, labels


def test_ring_points_drawn_at_once_are_those_drawn_one_by_one() -> None:
    images, labels = Ring().draw_many(100, 50)
    for k in range(50):
        one = Ring().draw(100 + k, 1)
        np.testing.assert_array_equal(one.image, images[k])
        assert one.label == one.attributes["mode"] == labels[k]


def test_ring_modes_have_the_mean_the_spread_and_the_share_that_are_asked_for() -> None:
    ring = Ring(modes=5, radius=0.6, std=0.03)
    points, labels = ring_points(ring, 40_000)
    for mode, centre in enumerate(ring.centres()):
        own = points[labels == mode]
        assert len(own) == pytest.approx(8_000, abs=320)
        error = 4 * ring.std / len(own) ** 0.5
        np.testing.assert_allclose(own.mean(axis=0), centre, atol=error)
        np.testing.assert_allclose(own.std(axis=0), ring.std, rtol=0.04)
        assert abs(np.corrcoef(own.T)[0, 1]) < 0.05


def test_rounding_keeps_the_mean_of_a_narrow_mode() -> None:
    ring = Ring(modes=1, radius=0.501, std=1e-6)
    points, _ = ring_points(ring, 20_000)
    assert len(np.unique(points[:, 0])) == 2
    np.testing.assert_allclose(points.mean(axis=0), [0.501, 0], atol=4 * (0.5 / 127.5) / 20_000**0.5)


def test_the_ring_itself_recovers_all_its_modes() -> None:
    points, _ = ring_points(Ring(), 20_000)
    modes, share = modes_recovered(points, Ring())
    assert modes == 8
    assert share == pytest.approx(1 - np.exp(-4.5), abs=0.005)


def test_recovered_modes_are_counted_within_three_standard_deviations() -> None:
    ring = Ring(modes=4, radius=0.5, std=0.02)
    points = np.array([(0.5, 0.0), (0.5, 0.059), (0.5, 0.061), (0.0, 0.5), (0.0, 0.0), (-0.561, 0.0)])
    assert modes_recovered(points, ring) == (2, 0.5)
    assert modes_recovered(np.empty((0, 2)), ring) == (0, 0.0)
    assert modes_recovered(np.full((3, 2), np.nan), ring) == (0, 0.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("builtin:critters", Critters()),
        ("builtin:glyphs?stacked=true", Glyphs(stacked=True)),
        ("builtin:ring?modes=25&std=0.01", Ring(modes=25, std=0.01)),
    ],
)
def test_an_address_names_a_set_and_its_settings(text: str, expected: AnyBuiltin) -> None:
    assert parse_builtin(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("builtin:criters", ["did you mean critters?", "builtin:critters, builtin:glyphs, builtin:ring"]),
        ("builtin:aerial", ["there is no builtin:aerial; choose builtin:critters, builtin:glyphs"]),
        ("builtin:", ["builtin:critters, builtin:glyphs, builtin:ring"]),
        ("builtin:glyphs?staked=true", ["staked: no such setting", "did you mean 'stacked'?"]),
        ("builtin:ring?modes=many", ["builtin:ring: modes: ", "integer", "got 'many'"]),
        ("builtin:ring?modes=0&std=9", ["modes: ", "got '0'", "std: ", "got '9'"]),
        ("builtin:critters?kind=ring", ["kind: 'ring'"]),
    ],
)
def test_a_wrong_address_is_refused_in_one_line_that_says_what_would_work(text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_builtin(text)
    message = str(refusal.value)
    assert "\n" not in message
    assert all(word in message for word in words)
