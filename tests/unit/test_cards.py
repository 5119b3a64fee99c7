"""What values show of themselves in a notebook is safe, small and at home on any ground."""

from __future__ import annotations

import io
import math
import re

import numpy as np
import pytest
from PIL import Image

from bombs import a_bomb
from steadygan import cards

HOSTILE = "<script>alert('1')</script>\"\x1b[2J\udce9"


@pytest.mark.parametrize(
    "html",
    [
        cards.text(HOSTILE),
        cards.card(HOSTILE, cards.lines([HOSTILE])),
        cards.table((HOSTILE, "n"), [(HOSTILE, 1)]),
        cards.picture(b"\x89PNG", HOSTILE),
        cards.curve(HOSTILE, "#000000", [1.0, 2.0]),
    ],
)
def test_no_text_can_become_code_or_an_attribute(html):
    assert "<script" not in html
    assert not re.search(r'alert\([^)]*\)[^"]*"\s*\x1b', html)
    assert html.encode().isascii() or "\x1b" not in html
    assert "&lt;script&gt;" in html
    assert "&quot;" in html


def test_no_part_has_a_ground_or_a_colour_of_text_of_its_own():
    html = cards.card("a", cards.lines(["b"]), cards.table(("c", "d"), [("e", 1)]), cards.curve("f", "#0072B2", [1, 2]))
    assert set(re.findall(r"background[^:]*:([^;\"]+)", html)) <= {"transparent"}
    assert set(re.findall(r"[;\"]color:([^;\"]+)", html)) <= {"inherit"}


def test_a_curve_goes_through_its_values_and_passes_over_what_is_no_number():
    html = cards.curve("loss", "#0072B2", [0.0, math.nan, 1.0, math.inf, 2.0])
    [points] = re.findall(r'points="([^"]+)"', html)
    across, down = np.array([point.split(",") for point in points.split()], float).T
    assert across == pytest.approx([0, 70, 140])
    assert np.diff(down) == pytest.approx([down[1] - down[0]] * 2)
    assert down[0] > down[2]
    assert "<b>2</b>" in html


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, math.nan]])
def test_a_curve_without_values_is_nothing(values):
    assert cards.curve("loss", "#0072B2", values) == ""


def test_a_curve_of_one_value_or_of_many_equal_ones_is_drawn():
    assert "nan" not in cards.curve("a", "#000000", [3.0]) + cards.curve("a", "#000000", [3.0] * 1000)


def test_a_large_picture_becomes_small_and_a_missing_or_damaged_one_is_left_out(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    small = cards.small(tmp_path / "large.png")
    assert len(small) < 500_000
    assert Image.open(io.BytesIO(small)).size == (640, 640)
    (tmp_path / "damaged.png").write_bytes(bytes(500_000))
    (tmp_path / "bomb.png").write_bytes(a_bomb(60_000) + bytes(500_000))
    assert [cards.small(tmp_path / f"{name}.png") for name in ("damaged", "bomb", "missing")] == [b""] * 3
    assert cards.picture(b"", "nothing") == ""
