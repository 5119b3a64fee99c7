"""The colours that the report and the studio share can be read, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from steadygan import report

CSS = (Path(report.__file__).parent / "assets" / "base.css").read_text(encoding="utf-8")
COLOURS = dict(re.findall(r"--(\w+): light-dark\(([^)]*)\)", CSS))
TEXTS = ("ink", "quiet", "accent", "serious", "warning", "info", "act")
GROUNDS = ("paper", "card", "sunk")
ENOUGH = 4.5
"""For text of any size: WCAG 2.2, success criterion 1.4.3."""


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4 for it in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def of(name: str, dark: bool) -> str:
    return COLOURS[name].split(", ")[dark]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_colour_of_text_can_be_read_on_every_ground(dark):
    found = {(text, ground): contrast(of(text, dark), of(ground, dark)) for text in TEXTS for ground in GROUNDS}
    assert {pair: value for pair, value in found.items() if value < ENOUGH} == {}
    assert contrast(of("card", dark), of("accent", dark)) >= ENOUGH, "a button's word on its colour"


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast("#777777", "#ffffff") < ENOUGH
