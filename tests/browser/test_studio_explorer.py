"""The latent explorer in a browser, over a studio that runs: pictures move, walks are downloaded, keys are enough."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import steadygan as sg
from browser.listening import listening

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytestmark = [pytest.mark.browser]
PATIENCE = 60_000  # ms, for a process that loads torch on a busy machine


@pytest.fixture(scope="module")
def address(painted_run: Path) -> Iterator[str]:
    """Where a studio over the folder of one run shows its explorer."""
    pytest.importorskip("uvicorn", reason='needs the studio: pip install "steadygan[studio]"')
    from steadygan.web.studio import Studio, id_of

    with listening(Studio(painted_run.parent)) as here:
        yield f"{here}/runs/{id_of(painted_run)}/explore"


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Opens the explorer in a tab of its own and waits for its picture; nothing may have gone wrong in it."""
    wrong: list[str] = []
    contexts = []

    def show(asked: str = "", width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(reduced_motion="reduce", viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        view = context.new_page()
        view.on("pageerror", lambda error: wrong.append(str(error)))
        view.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        view.goto(address + asked)
        ready(view)
        return view

    yield show
    for context in contexts:
        context.close()
    assert wrong == []


def ready(view: Any) -> None:
    view.wait_for_selector("#picture[src]:not([aria-busy])")
    sync_api.expect(view.locator("#grid .waiting")).to_have_count(0)


def pixels(view: Any, where: str = "#picture") -> NDArray[np.int64]:
    address = view.locator(where).first.get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB"), np.int64)


def truth(run: Path, number: int, seed: int = 0) -> NDArray[np.int64]:
    return sg.load(run).sample(seed=seed, pick=[number]).plain()[0].permute(1, 2, 0).long().numpy()


def apart(one: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    return int(np.abs(one - other).max())


def downloaded(view: Any, button: str) -> tuple[str, bytes]:
    with view.expect_download() as coming:
        view.click(button)
    return coming.value.suggested_filename, Path(coming.value.path()).read_bytes()


@pytest.mark.slow
def test_pictures_are_new_and_walks_are_downloaded(opened: Callable[..., Any], painted_run: Path) -> None:
    view = opened("?seed=3&number=5")
    assert apart(pixels(view), truth(painted_run, 5, seed=3)) <= 1
    assert apart(pixels(view, "#grid button:nth-child(3) img"), truth(painted_run, 2, seed=3)) == 0
    view.click("#keep")
    view.click("#new")
    ready(view)
    assert apart(pixels(view), truth(painted_run, 6, seed=3)) <= 1
    view.click("#keep")
    view.wait_for_selector("#way-part:not([aria-busy]):not([hidden])")
    view.fill("#way", "12")
    assert apart(pixels(view, "#between"), truth(painted_run, 6, seed=3)) <= 1
    name, gif = downloaded(view, "#gif")
    assert name == "painted-walk.gif"
    with Image.open(io.BytesIO(gif)) as film:
        assert film.n_frames > 24  # type: ignore[attr-defined]
    assert "--seed 3 --pick 5,6 -o walk.gif" in view.inner_text("#command")


@pytest.mark.slow
def test_sliders_move_the_picture_and_the_address_holds_it_and_its_history(
    opened: Callable[..., Any], painted_run: Path
) -> None:
    view = opened("?seed=3&number=47")
    assert apart(pixels(view, "#grid button:nth-child(16) img"), truth(painted_run, 47, seed=3)) == 0
    view.click("#new")
    ready(view)
    assert view.get_attribute("#grid button:nth-child(1)", "aria-current") == "true"
    view.fill("#number", "5")
    ready(view)
    name, png = downloaded(view, "#png")
    assert name == "painted-seed3-5.png"
    assert apart(np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), np.int64), truth(painted_run, 5, seed=3)) == 0
    view.click("#new")
    ready(view)
    view.click("#back")
    ready(view)
    assert apart(pixels(view), truth(painted_run, 5, seed=3)) <= 1
    view.click("#forward")
    ready(view)
    assert "number=6" in view.url
    view.wait_for_selector("#sliders input")
    before = pixels(view)
    view.locator("#sliders input").first.fill("4")
    view.wait_for_url("**moves=4,**")
    ready(view)
    moved = pixels(view)
    assert apart(moved, before) > 1
    view.reload()
    view.wait_for_selector("#sliders input")
    ready(view)
    sync_api.expect(view.locator("#caption")).to_have_text("Seed 3, number 6 · moved")
    assert apart(pixels(view), moved) == 0
    view.click("#level")
    ready(view)
    assert apart(pixels(view), before) == 0


def tab_to(view: Any, what: str) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(80):
        if view.evaluate("(what) => document.activeElement.matches(what)", what):
            return
        view.keyboard.press("Tab")
    raise AssertionError(f"no way to {what}")


UNNAMED = """[...document.querySelectorAll("button, input, select, img, progress")].filter((it) => it.offsetParent
    && !(it.textContent.trim() || it.ariaLabel || it.labels?.length || it.hasAttribute("alt"))).length"""


@pytest.mark.slow
def test_the_keyboard_is_enough_and_a_phone_is_wide_enough(opened: Callable[..., Any], painted_run: Path) -> None:
    view = opened(width=360, color_scheme="dark")
    assert view.evaluate("document.documentElement.scrollWidth") <= 360
    view.wait_for_selector("#sliders input")
    for _ in range(2):
        tab_to(view, "#keep")
        view.keyboard.press("Enter")
        view.locator("body").focus()
        tab_to(view, "#grid button:nth-child(5)")
        view.keyboard.press("Enter")
        ready(view)
        view.evaluate("document.activeElement.blur()")
    assert apart(pixels(view), truth(painted_run, 4)) <= 1
    tab_to(view, "#sliders input")
    before = pixels(view)
    for _ in range(20):
        view.keyboard.press("ArrowRight")
    view.wait_for_url("**moves=2,**")
    ready(view)
    assert apart(pixels(view), before) > 0
    view.wait_for_selector("#way-part:not([aria-busy]):not([hidden])")
    tab_to(view, "#way")
    view.keyboard.press("End")
    assert view.get_attribute("#way", "aria-valuetext") == "picture 24 of 24, near station 1"
    tab_to(view, "#gif")
    with view.expect_download() as coming:
        view.keyboard.press("Enter")
    assert Path(coming.value.path()).read_bytes().startswith(b"GIF89a")
    assert view.evaluate("document.documentElement.scrollWidth") <= 360
    assert view.evaluate(UNNAMED) == 0


@pytest.mark.slow
def test_a_photo_is_found_and_one_that_is_none_is_said(
    opened: Callable[..., Any], painted_run: Path, tmp_path: Path
) -> None:
    view = opened()
    (tmp_path / "no.jpg").write_text("no photo")
    view.set_input_files("#file", tmp_path / "no.jpg")
    view.wait_for_selector("#wrong:not([hidden])")
    assert "the photo is a text file" in view.inner_text("#wrong")
    Image.fromarray(truth(painted_run, 40).astype(np.uint8)).save(tmp_path / "a.png")
    view.set_input_files("#file", tmp_path / "a.png")
    view.wait_for_selector("#found:not([hidden])")
    ready(view)
    assert apart(pixels(view, "#photo"), truth(painted_run, 40)) == 0
    assert apart(pixels(view), pixels(view, "#nearest")) <= 1
    assert "photo=1" in view.url
    found = pixels(view)
    view.reload()
    ready(view)
    assert apart(pixels(view), found) == 0
    view.set_input_files("#file", tmp_path / "a.png")
    view.click("#stop")
    sync_api.expect(view.locator("#looking")).to_be_hidden()
