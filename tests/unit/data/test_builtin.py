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

from steadygan.data.builtin import Aerial, AnyBuiltin, Drawing, Glyphs, Ring, modes_recovered, parse_builtin
from steadygan.data.builtin.aerial import _empty
from steadygan.data.builtin.aerial_render import Layers
from steadygan.data.builtin.aerial_scene import CLASSES, MEADOW, TOWN, WATER, Shape, Surface
from steadygan.data.builtin.aerial_town import Houses, build
from steadygan.data.builtin.drawing import Dice
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
def test_an_aerial_scene_is_the_same_scene_at_every_size(index: int) -> None:
    aerial = Aerial()
    small, large, other = aerial.draw(index, 32), aerial.draw(index, 128), aerial.draw(index + 1, 128)
    near = np.abs(reduced(large.image, 32) - small.image).mean()
    far = np.abs(reduced(other.image, 32) - small.image).mean()
    assert near < 8
    assert near < far / 3
    assert (small.attributes, small.label) == (large.attributes, large.label)


def test_a_digit_is_the_same_digit_at_every_size() -> None:
    for index in range(5):
        small, large = Glyphs().draw(index, 16).image[:, :, 0], Glyphs().draw(index, 64).image[:, :, 0]
        assert np.abs(reduced(large, 16) - small).mean() < 1


def test_aerial_fractions_are_the_areas_of_the_land_cover_map() -> None:
    for index in range(8):
        drawing, cover = Aerial().draw(index, 64), Aerial().land_cover(index, 128)
        shares = [float(drawing.attributes[f"{name}_fraction"]) for name in CLASSES]
        assert sum(shares) == pytest.approx(1)
        np.testing.assert_allclose(shares, [(cover == k).mean() for k in range(len(CLASSES))], atol=0.03)
        assert drawing.label == int(np.argmax(shares))
        assert drawing.attributes["scene"] == CLASSES[drawing.label]


def test_aerial_water_lies_in_the_picture_where_the_map_says() -> None:
    smoother = []
    for index in range(60):
        water = Aerial().land_cover(index, 64) == WATER
        if 0.15 < water.mean() < 0.85:
            grey = Aerial().draw(index, 64).image.mean(axis=-1)
            smoother.append(grey[water].std() < 0.7 * grey[~water].std())
    assert len(smoother) >= 6
    assert np.mean(smoother) > 0.65


def test_every_aerial_class_is_the_main_one_of_some_scene_and_none_of_most() -> None:
    drawings = [Aerial().draw(index, 16) for index in range(150)]
    counts = np.bincount([drawing.label or 0 for drawing in drawings], minlength=len(CLASSES))
    assert counts.min() >= 8
    assert counts.max() <= 70


def test_towns_have_houses_and_streets_and_wild_scenes_may_have_none() -> None:
    found = [Aerial().draw(index, 16).attributes for index in range(60)]
    towns = [scene for scene in found if float(scene["town_fraction"]) > 0.8]
    assert len(towns) >= 3
    assert all(float(scene["houses"]) >= 10 and float(scene["roads"]) >= 2 for scene in towns)
    assert any(scene["houses"] == scene["roads"] == 0 for scene in found)


@pytest.mark.parametrize("index", range(8))
def test_a_house_throws_its_shadow_away_from_the_sun_and_is_brighter_on_the_sunny_side(index: int) -> None:
    scene = _empty(Dice("shadow", index), variety=0.0)
    whole = np.array([(-0.1, -0.1), (1.1, -0.1), (1.1, 1.1), (-0.1, 1.1)])
    scene.ground.append(Shape(whole, scene.surface(Surface((120, 120, 120), MEADOW, grain=0.0))))
    sun = np.array([scene.light.east, scene.light.south])
    ridge = np.array([[-sun[1], sun[0]]])
    build(scene, Houses(np.array([[0.5, 0.5]]), ridge, np.array([0.08]), np.array([0.055])), flat=0.0)
    scene.surfaces[:] = [surface._replace(grain=0.0) for surface in scene.surfaces]
    layers = Layers(scene, 160)
    light, roof = layers.colours().mean(axis=-1), layers.cover() == TOWN
    away = np.moveaxis(np.indices((160, 160))[::-1], 0, -1) / 160 - 0.5
    shadow = ~roof & (light < 100)
    assert shadow.sum() > 100
    assert (away[shadow] @ sun).mean() < -0.055
    assert (away[shadow] @ sun).max() < 0.06
    assert light[roof & (away @ sun > 0.02)].mean() > 1.3 * light[roof & (away @ sun < -0.02)].mean()


def test_sun_azimuths_are_in_the_southern_half_of_the_sky() -> None:
    azimuths = [float(Aerial().draw(index, 16).attributes["sun_azimuth_degrees"]) for index in range(40)]
    assert 90 <= min(azimuths) < 120
    assert 240 < max(azimuths) <= 270


def test_without_variety_scenes_are_more_alike_in_brightness() -> None:
    def spread(variety: float) -> float:
        images = [Aerial(variety=variety).draw(index, 16).image.mean() for index in range(40)]
        return float(np.std(images))

    assert spread(0) < 0.95 * spread(2)


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
        ("builtin:aerial", Aerial()),
        ("builtin:glyphs?stacked=true", Glyphs(stacked=True)),
        ("builtin:ring?modes=25&std=0.01", Ring(modes=25, std=0.01)),
    ],
)
def test_an_address_names_a_set_and_its_settings(text: str, expected: AnyBuiltin) -> None:
    assert parse_builtin(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("builtin:aeral", ["did you mean aerial?", "builtin:aerial, builtin:glyphs, builtin:ring"]),
        ("builtin:", ["builtin:aerial, builtin:glyphs, builtin:ring"]),
        ("builtin:glyphs?staked=true", ["staked: no such setting", "did you mean 'stacked'?"]),
        ("builtin:ring?modes=many", ["builtin:ring: modes: ", "integer", "got 'many'"]),
        ("builtin:ring?modes=0&std=9", ["modes: ", "got '0'", "std: ", "got '9'"]),
        ("builtin:aerial?kind=ring", ["kind: 'ring'"]),
    ],
)
def test_a_wrong_address_is_refused_in_one_line_that_says_what_would_work(text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_builtin(text)
    message = str(refusal.value)
    assert "\n" not in message
    assert all(word in message for word in words)
