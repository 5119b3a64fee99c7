from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from steadygan.data.reading.decode import Decoded, decode
from steadygan.data.reading.faces import face_box
from steadygan.data.reading.fit import squares
from steadygan.data.settings import PrepareSettings
from steadygan.errors import ConfigError, DataError

SHARED = Path(__file__).parents[4] / "shared" / "data"
HOPPER = SHARED / "messy" / "good" / "pillow__hopper.png"

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the collection of real pictures is not here")
FACES = PrepareSettings(size=64, fit="faces")


@pytest.fixture
def dlib() -> None:
    pytest.importorskip("dlib", reason="dlib-bin is not installed")


def portrait() -> Decoded:
    return decode(HOPPER.read_bytes())


def placed(at: tuple[int, int], side: int, sheet: tuple[int, int]) -> Decoded:
    """A portrait pasted into a larger empty picture."""
    image = Image.new("RGB", sheet, (120, 130, 140))
    image.paste(portrait().image.resize((side, side), Image.Resampling.LANCZOS), at)
    return Decoded(image, image.size, "RGB", "PNG")


def test_without_the_library_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    from steadygan.data.reading import faces

    faces._detector.cache_clear()
    with pytest.raises(ConfigError, match=r'pip install "steadygan\[faces\]"'):
        face_box(Decoded(Image.new("L", (300, 300)), (300, 300), "L", "PNG"))
    faces._detector.cache_clear()


@pytest.mark.usefixtures("dlib")
def test_what_shows_no_face_is_refused() -> None:
    drawing = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(drawing).rectangle((50, 50, 120, 150), fill="red")
    for image in (drawing, Image.effect_noise((300, 300), 60), Image.new("L", (1, 1)), Image.new("L", (2, 900))):
        with pytest.raises(DataError, match="shows no face that the detector finds"):
            squares(Decoded(image, image.size, image.mode, "PNG"), FACES, "")


@needs_shared
@pytest.mark.usefixtures("dlib")
@pytest.mark.parametrize(("at", "side"), [((0, 0), 250), ((350, 100), 400), ((700, 480), 240)])
def test_the_square_lies_around_the_face_wherever_it_is(at: tuple[int, int], side: int) -> None:
    found = placed(at, side, (1000, 750))
    left, top, right, bottom = face_box(found)
    assert right - left == bottom - top
    assert (left >= 0, top >= 0, right <= 1000, bottom <= 750) == (True,) * 4
    eyes, mouth = (at[0] + 0.5 * side, at[1] + 0.34 * side), (at[0] + 0.5 * side, at[1] + 0.55 * side)
    for across, down in (eyes, mouth):
        assert left + 0.2 * (right - left) < across < right - 0.2 * (right - left)
        assert top + 0.15 * (right - left) < down < bottom - 0.15 * (right - left)


@needs_shared
@pytest.mark.usefixtures("dlib")
def test_of_several_faces_the_largest_is_taken() -> None:
    found = placed((20, 20), 300, (900, 420))
    found.image.paste(portrait().image.resize((400, 400)), (450, 10))
    left, _, right, _ = face_box(found)
    assert left > 430
    ((pixels, box),) = squares(found, FACES, "")
    assert pixels.shape == (64, 64, 3)
    assert box[0] == left
    assert right - left > 200


@needs_shared
@pytest.mark.usefixtures("dlib")
def test_nearly_every_portrait_is_found_and_hardly_anything_else() -> None:
    def share(paths: list[Path]) -> float:
        found = 0
        for path in paths:
            try:
                face_box(decode(path.read_bytes()))
                found += 1
            except DataError:
                pass
        return found / len(paths)

    assert share(sorted((SHARED / "faces").glob("*"))[::30]) > 0.9
    assert share(sorted((SHARED / "aerial").glob("*/*"))[::600]) <= 0.1


@needs_shared
@pytest.mark.usefixtures("dlib")
def test_the_square_is_as_steady_as_the_picture() -> None:
    """The same portrait at other sizes gives the same part of it."""
    boxes = []
    for side in (128, 200, 350, 700):
        image = portrait().image.resize((side, side), Image.Resampling.LANCZOS)
        boxes.append(np.array(face_box(Decoded(image, image.size, "RGB", "PNG"))) / side)
    assert np.ptp(boxes, axis=0).max() < 0.12
