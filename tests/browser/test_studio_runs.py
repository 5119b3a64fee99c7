"""The studio as a browser shows it: the list, a run that grows, runs beside each other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.pages import HOSTILE
from steadygan.runs import Run
from steadygan.web.studio import id_of
from unit.web.conftest import lines, make_run, score, tick

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytestmark = [pytest.mark.browser]
Opened = Callable[..., Any]


class Served:
    """A studio as a process of its own."""

    def __init__(self, folder: Path, port: int = 0, every: float = 0.5) -> None:
        code = f"import steadygan.web.following as it; it.EVERY = {every}; from steadygan.cli.main import main; main()"
        command = [sys.executable, "-u", "-c", code, "studio", str(folder), "--no-open", "--port", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[1].rstrip("/")

    def end(self, how: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(how)
        self.process.communicate()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studio") / "runs"
    make_run(folder / "first", ticks=5)
    info = {"recipe": "steady", "config": {"batch": 8}, "created": "2026-02-01T10:00:00+00:00"}
    second = make_run(folder / "second", ticks=8, info=info)
    (folder / "first" / "scores.jsonl").write_text(lines(score(400, 3.0), score(1600, 2.0)))
    (second / "scores.jsonl").write_text(lines(score(400, 1.0)))
    finding = {"step": 100, "images": 800, "rule": "mode-collapse", "severity": "serious", "says": "all alike"}
    (second / "findings.jsonl").write_text(lines(finding | {"evidence": "a distance of 0.01", "remedy": "wait; pray"}))
    return folder


@pytest.fixture(scope="module")
def studio(runs: Path) -> Iterator[Served]:
    served = Served(runs)
    yield served
    served.end()


@pytest.fixture(scope="module")
def contexts(browser: Any) -> Iterator[tuple[Opened, list[str]]]:
    there: dict[str, Any] = {}
    wrong: list[str] = []

    def tab(**options: Any) -> Any:
        key = str(options)
        if key not in there:
            context = browser.new_context(reduced_motion="reduce", **options)
            context.set_default_timeout(30_000)
            view = there[key] = context.new_page()
            view.on("pageerror", lambda error: wrong.append(str(error)))
            view.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        return there[key]

    yield tab, wrong
    for view in there.values():
        view.context.close()


@pytest.fixture
def opened(contexts: tuple[Opened, list[str]], studio: Served) -> Iterator[Opened]:
    """Opens a page of the studio; afterwards nothing may have gone wrong in it."""
    tab, wrong = contexts
    wrong.clear()

    def show(path: str, width: int = 1280, **options: Any) -> Any:
        view = tab(**options)
        view.set_viewport_size({"width": width, "height": 900})
        view.goto(studio.address + path)
        return view

    yield show
    assert wrong == []


def test_runs_are_found_sorted_and_chosen_to_compare(opened: Opened) -> None:
    view = opened("/")
    names = view.locator(".run b")
    assert names.all_inner_texts() == ["second", "first"]
    assert view.locator(".run").first.inner_text().split("\n")[:2] == ["second", "steady · squares · 16 px"]
    sync_api.expect(view.locator(".run img").first).to_have_js_property("naturalWidth", 32)
    view.locator("#sort").select_option("name")
    assert names.all_inner_texts() == ["first", "second"]
    view.locator("#find").fill("dcgan SQUARES")
    assert names.all_inner_texts() == ["first"]
    view.reload()
    assert names.all_inner_texts() == ["first"], "what was typed stays"
    view.locator("#find").fill("")
    view.locator("#sort").select_option("score")
    assert names.all_inner_texts() == ["second", "first"]
    for box in view.locator(".run input").all():
        box.check()
    view.locator("#compare").click()
    sync_api.expect(view.locator("#differences")).to_contain_text("batch")
    assert view.locator("#pictures figcaption a:not(.quiet)").all_inner_texts() == ["second", "first"]
    assert view.locator("#standings .winner").inner_text() == "1 ✓"


def test_one_slider_moves_all_pictures_to_the_same_images_seen(opened: Opened, runs: Path) -> None:
    first, second = id_of(runs / "first"), id_of(runs / "second")
    view = opened(f"/compare?runs={first},{second}")
    sync_api.expect(view.locator("#seen")).to_have_text("3,200 images")
    pictures = view.locator("#pictures img")
    assert pictures.evaluate_all("(all) => all.map((it) => it.getAttribute('src'))") == [
        f"/runs/{first}/samples/000002000.png",
        f"/runs/{second}/samples/000003200.png",
    ]
    view.locator("#slider").fill("1")
    assert view.locator("#seen").inner_text() == "800 images"
    assert {src[-13:] for src in pictures.evaluate_all("(all) => all.map((it) => it.src)")} == {"000000800.png"}
    view.keyboard.press("ArrowRight")
    assert view.locator("#seen").inner_text() == "1,200 images"
    assert view.locator(".chart h3").first.inner_text().startswith("fd")
    view.locator(".plot").first.scroll_into_view_if_needed()
    sync_api.expect(view.locator(".plot canvas").first).to_be_visible()


def test_a_run_grows_before_the_eyes_and_nothing_jumps(opened: Opened, runs: Path) -> None:
    folder = make_run(runs / "growing", ticks=4)
    view = opened(f"/runs/{id_of(folder)}")
    sync_api.expect(view.locator("#images")).to_have_text("1,600")
    chart = view.locator("[data-points='4']").first
    chart.scroll_into_view_if_needed()
    view.evaluate("window.canvas = document.querySelector('.plot canvas')")
    view.locator("#slider").fill("1")
    assert view.locator("#seen").inner_text() == "800 images"
    view.locator(".legend button").first.click()
    before = view.evaluate("scrollY")
    with (folder / "log.jsonl").open("a") as file:
        file.write(lines(tick(2000), tick(2400)))
    (folder / "samples" / "000002400.png").write_bytes((folder / "samples" / "000000400.png").read_bytes())
    finding = {"step": 100, "images": 800, "rule": "copies", "severity": "warning", "evidence": "0.2", "remedy": "stop"}
    (folder / "findings.jsonl").write_text(lines(finding | {"says": HOSTILE}))
    sync_api.expect(view.locator("#images")).to_have_text("2,400")
    sync_api.expect(view.locator(".plot").first).to_have_attribute("data-points", "6")
    sync_api.expect(view.locator("#cards .card")).to_have_count(1)
    sync_api.expect(view.locator("#slider")).to_have_attribute("max", "4")
    assert view.locator("#seen").inner_text() == "800 images", "the slider stays where it was put"
    assert view.evaluate("canvas === document.querySelector('.plot canvas') && canvas.isConnected"), "not built anew"
    assert view.locator(".legend button").first.get_attribute("aria-pressed") == "false"
    assert view.evaluate("scrollY") == before
    assert view.evaluate("window.pwned") is None
    view.locator("#newest").click()
    assert view.locator("#seen").inner_text() == "2,400 images"
    (folder / "samples" / "000002800.png").write_bytes((folder / "samples" / "000000800.png").read_bytes())
    sync_api.expect(view.locator("#seen")).to_have_text("2,800 images")
    sync_api.expect(view.locator("#grid")).to_have_attribute("src", f"/runs/{id_of(folder)}/samples/000002800.png")


def test_what_needs_a_generator_is_offered_from_the_first_checkpoint_on(opened: Opened, runs: Path) -> None:
    folder = make_run(runs / "young", ticks=2)
    view = opened(f"/runs/{id_of(folder)}")
    sync_api.expect(view.locator("#images")).to_have_text("800")
    sync_api.expect(view.locator(".saved:visible")).to_have_count(0)
    first = folder / "checkpoints" / "images-000000800"
    first.mkdir(parents=True)
    (first / "meta.json").write_text("{}")
    sync_api.expect(view.locator(".saved:visible")).to_have_count(3)


def test_a_note_is_seen_at_once_and_an_error_is_said(opened: Opened, runs: Path) -> None:
    folder = make_run(runs / "noted", ticks=2)
    view = opened(f"/runs/{id_of(folder)}")
    view.locator("#note-text").fill("eyes are good")
    view.keyboard.press("Enter")
    sync_api.expect(view.locator("#notes li").first).to_contain_text("eyes are good")
    assert Run(folder).notes()[-1].text == "eyes are good"


@pytest.mark.parametrize("path", ["/", "/runs/{second}", "/compare?runs={first},{second}"])
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), pytest.param(768, "light", marks=pytest.mark.slow)])
def test_no_page_is_wider_than_a_screen_and_every_control_has_a_name(
    opened: Opened, runs: Path, path: str, width: int, scheme: str
) -> None:
    view = opened(path.format(first=id_of(runs / "first"), second=id_of(runs / "second")), width, color_scheme=scheme)
    sync_api.expect(view.locator(".run b, .plot").first).to_be_visible()
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    nameless = view.evaluate(
        """() => [...document.querySelectorAll('button, input, select, a')].filter((it) => it.checkVisibility()
        && !(it.textContent.trim() || it.ariaLabel || it.labels?.[0]?.textContent.trim())).map((it) => it.outerHTML)"""
    )
    assert nameless == []
    dark = view.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 21, 25)"
    assert dark == (scheme == "dark")


@pytest.mark.slow
def test_a_training_is_watched_through_a_restart_of_the_studio_and_stopped_from_its_page(
    browser: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    studio = Served(folder)
    training = [sys.executable, "-m", "steadygan", "train", "builtin:critters", "-o", str(folder / "a"), "--images"]
    training += ["1M", "--size", "32", "--recipe", "dcgan", "--batch", "16", "--set", "samples.every_images=64"]
    with subprocess.Popen(training, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as trains:
        view = browser.new_page()
        view.set_default_timeout(120_000)
        slow = {"timeout": 120_000}
        view.goto(studio.address)
        view.locator(".run", has_text="dcgan").locator("a").click(**slow)
        sync_api.expect(view.locator("#state")).to_have_text("running", **slow)
        sync_api.expect(view.locator("#grid")).to_be_visible(**slow)
        studio.end(signal.SIGKILL)
        sync_api.expect(view.locator("#said")).to_contain_text("does not answer", **slow)
        studio = Served(folder, int(studio.address.rpartition(":")[2]))
        assert trains.poll() is None
        seen = view.locator("#images").inner_text()  # the page finds the studio again by itself
        sync_api.expect(view.locator("#images")).not_to_have_text(seen, **slow)
        view.reload()
        view.locator("#stop").click()
        assert view.locator("#stop").text_content() == "Saving …"
        sync_api.expect(view.locator("#state")).to_have_text("stopped", **slow)
        assert trains.wait() == 130
        assert Run(folder / "a").notes()[-1].text.startswith("stopped on request")
        view.locator("#more").fill(str(Run(folder / "a").notes()[-1].images + 64))
        view.locator("#resume button").click()
        sync_api.expect(view.locator("#state")).to_have_text("finished", **slow)
        view.locator("#form").select_option("safetensors")
        view.locator("#export button").click()
        with view.expect_download(**slow) as download:
            view.locator("#jobs a").click(**slow)
        assert download.value.suggested_filename == "generator-best.safetensors"
        assert os.path.getsize(download.value.path()) > 1000
        view.close()
    studio.end()


@pytest.mark.slow
def test_the_memory_of_a_page_stays_flat_over_a_thousand_updates(browser: Any, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "runs" / "a", ticks=2000)
    studio = Served(tmp_path / "runs", every=0.005)
    context = browser.new_context()
    view = context.new_page()
    view.goto(f"{studio.address}/runs/{id_of(folder)}")
    view.locator(".plot").first.scroll_into_view_if_needed()
    devtools = context.new_cdp_session(view)

    def used() -> dict[str, float]:
        devtools.send("HeapProfiler.collectGarbage")
        return {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}

    devtools.send("Performance.enable")
    sync_api.expect(view.locator("#images")).to_have_text("800,000")
    before = used()
    with (folder / "log.jsonl").open("a") as file:
        for at in range(2001, 3001):
            file.write(json.dumps(tick(400 * at)) + "\n")
            file.flush()
            view.wait_for_timeout(15)
    sync_api.expect(view.locator("#images")).to_have_text("1,200,000")
    after = used()
    assert after["JSHeapUsedSize"] < before["JSHeapUsedSize"] + 4_000_000
    assert after["Nodes"] <= before["Nodes"] + 50
    context.close()
    studio.end()
