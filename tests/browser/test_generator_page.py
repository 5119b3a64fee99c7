"""A page with a generator in a browser: from a file, offline, at two widths, light and dark."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from browser.conftest import Opener
from browser.pages import HOSTILE
from generators import trained
from steadygan.export import TrainedGenerator
from steadygan.export.page import save_page
from telling import telling

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytestmark = [pytest.mark.browser]

CLASSES = ["meadow", HOSTILE, "w" * 80]


@pytest.fixture(scope="module")
def model() -> TrainedGenerator:
    return trained("sngan", classes=3, class_names=CLASSES, run=f"run {HOSTILE} {'x' * 60}")


@pytest.fixture(scope="module")
def file(model: TrainedGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_page(model, tmp_path_factory.mktemp("page") / "a.html").path


@pytest.fixture
def opened(tabs: tuple[Opener, list[str]], file: Path) -> Iterator[Opener]:
    """Opens the page and waits until all its pictures are there; nothing may have been asked for, or gone wrong."""
    tab, wrong = tabs
    wrong.clear()

    def show(width: int = 1280, **options: Any) -> Any:
        view = tab(**options)
        view.set_viewport_size({"width": width, "height": 900})
        view.goto(file.as_uri())
        ready(view)
        return view

    yield show
    assert wrong == []


def ready(view: Any) -> None:
    sync_api.expect(view.locator("canvas.waiting, canvas[aria-busy]")).to_have_count(0)


def pixels(view: Any, where: str = "#picture") -> NDArray[np.int64]:
    """What a canvas shows, (size, size, 3)."""
    address = view.locator(where).first.evaluate("(it) => it.toDataURL('image/png')")
    image = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
    return np.asarray(image.convert("RGB"), np.int64)


def truth(model: TrainedGenerator, number: int, seed: int = 0, label: int | None = None) -> NDArray[np.int64]:
    return model.sample(seed=seed, pick=[number], label=label).plain()[0].permute(1, 2, 0).long().numpy()


def apart(one: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    return int(np.abs(one - other).max())


def test_a_click_makes_a_new_picture_and_each_is_that_of_python(opened: Opener, model: TrainedGenerator) -> None:
    view = opened()
    assert apart(pixels(view), truth(model, 0)) <= 2
    for number in (1, 2):
        view.locator(("#new", "#frame")[number - 1]).click()
        ready(view)
        assert apart(pixels(view), truth(model, number)) <= 2
        assert apart(truth(model, number), truth(model, number - 1)) > 20
    assert f"number 2 · {CLASSES[2]}" in view.locator("#caption").inner_text()
    grid = view.locator("#grid canvas")
    assert all(apart(pixels(view, f"#grid button:nth-child({n + 1}) canvas"), truth(model, n)) <= 2 for n in (0, 5))
    assert grid.count() == 27
    view.locator("#seed").fill("-12345678901")
    view.locator("#class").select_option("1")
    view.locator("#number").fill("40")
    ready(view)
    assert apart(pixels(view), truth(model, 40, seed=-12345678901, label=1)) <= 2
    view.locator("#seed").fill("seven")
    assert view.locator("#seed").get_attribute("aria-invalid") == "true"


def test_sliders_move_the_picture_and_setting_them_back_brings_it_back(opened: Opener) -> None:
    view = opened()
    before = pixels(view)
    assert view.locator("#sliders input").count() == 8
    view.locator("#sliders input").first.fill("3")
    ready(view)
    moved = pixels(view)
    assert apart(moved, before) > 5
    view.locator("#level").click()
    ready(view)
    assert apart(pixels(view), before) == 0


@pytest.mark.slow
def test_the_way_between_two_pictures_begins_and_ends_at_them(opened: Opener, model: TrainedGenerator) -> None:
    view = opened()
    view.locator("#number").fill("6")
    ready(view)
    view.locator("#keep-a").click()
    view.locator("#number").fill("9")
    ready(view)
    view.locator("#keep-b").click()
    ready(view)
    middle = pixels(view, "#middle")
    for t, number in (("0", 6), ("1", 9)):
        view.locator("#way").fill(t)
        ready(view)
        assert apart(pixels(view, "#middle"), truth(model, number)) <= 2
        assert apart(pixels(view, "#middle"), middle) > 5
    view.locator("#way").fill("0.2")
    ready(view)
    still = pixels(view, "#middle")
    view.locator("#play").click()
    view.wait_for_timeout(300)
    view.locator("#play").click()
    ready(view)
    assert apart(pixels(view, "#middle"), still) > 0


def downloaded(view: Any, click: Callable[[], None]) -> tuple[str, Image.Image]:
    with view.expect_download() as coming:
        click()
    file = coming.value
    return file.suggested_filename, Image.open(io.BytesIO(Path(file.path()).read_bytes()))


@pytest.mark.slow
def test_png_and_gif_are_downloaded_and_hold_what_was_seen(opened: Opener, model: TrainedGenerator) -> None:
    view = opened()
    name, png = downloaded(view, view.locator("#png").click)
    assert re.fullmatch(r"[\w.-]+-seed0-0\.png", name)
    assert apart(np.asarray(png.convert("RGB"), np.int64), truth(model, 0)) <= 2
    name, gif = downloaded(view, view.locator("#gif").click)
    assert name.endswith("walk.gif")
    assert gif.n_frames == 32  # type: ignore[attr-defined]
    assert gif.size == (256, 256)
    for frame, number in ((0, 0), (16, 1)):
        gif.seek(frame)
        shown = np.asarray(gif.convert("RGB").resize((16, 16), Image.Resampling.NEAREST), np.int64)
        assert np.abs(shown - truth(model, number)).mean() < 12  # of 255 colours
    assert len({gif.seek(frame) or gif.convert("RGB").tobytes() for frame in range(17)}) > 8  # type: ignore[func-returns-value]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", telling(["light", "dark"], "dark"))
def test_nothing_is_wider_than_the_window_and_no_text_is_run(opened: Opener, scheme: str) -> None:
    for width in (1280, 768, 375):
        view = opened(width, color_scheme=scheme)
        assert view.evaluate("document.documentElement.scrollWidth") <= width
    assert view.evaluate("window.pwned") is None
    assert HOSTILE in view.locator("h1").text_content()
    assert HOSTILE in view.locator("#class").text_content()
    ground = "getComputedStyle(document.body).backgroundColor"
    before = view.evaluate(ground)
    assert before == ("rgb(250, 249, 246)" if scheme == "light" else "rgb(19, 21, 25)")
    view.locator("#theme").click()
    assert view.evaluate(ground) != before
