"""A report as a browser shows it: from a file, offline, at several widths, on paper, and without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.conftest import Opener
from browser.pages import HOSTILE, compared, empty, mark, page, run
from steadygan.report.page import Page
from steadygan.report.render import render

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytestmark = [pytest.mark.browser]

ANY = re.compile(".")


@pytest.fixture
def opened(tabs: tuple[Opener, list[str]], tmp_path: Path) -> Iterator[Opener]:
    """Opens a page; afterwards no request may have left it, and nothing may have gone wrong in it."""
    tab, wrong = tabs
    wrong.clear()

    def show(of: Page, width: int = 1280, **options: Any) -> Any:
        file = tmp_path / "report.html"
        file.write_text(render(of), encoding="utf-8")
        view = tab(**options)
        view.set_viewport_size({"width": width, "height": 900})
        view.goto(file.as_uri())
        return view

    yield show
    assert wrong == []


def shown(view: Any, number: int = 0) -> str:
    return str(view.locator(".generated img.grid").nth(number).get_attribute("src"))


def ranges(view: Any) -> list[str]:
    """From where to where the axes of all curves go, once they are drawn."""
    boxes = view.locator(".chart .plot")
    for number in range(boxes.count()):
        boxes.nth(number).scroll_into_view_if_needed()
        sync_api.expect(boxes.nth(number)).to_have_attribute("data-range", ANY)
    return list(boxes.evaluate_all("(all) => all.map((it) => it.dataset.range)"))


def test_the_slider_and_its_keys_change_the_picture(opened: Opener) -> None:
    of = page(run())
    view = opened(of)
    pictures = [frame.picture for frame in of.runs[0].frames]
    assert shown(view) == pictures[-1]
    view.locator("#slider").fill("2")
    assert shown(view) == pictures[2]
    assert view.locator("#seen").inner_text() == "300 images seen"
    assert view.locator("#slider").get_attribute("aria-valuetext") == "300 images seen"
    view.keyboard.press("ArrowRight")
    assert shown(view) == pictures[3]
    view.locator("h1").click()
    view.keyboard.press("ArrowLeft")
    assert shown(view) == pictures[2]
    view.locator(".strip button").first.click()
    assert shown(view) == pictures[0]


def test_play_runs_through_all_frames_and_stops_at_the_last(opened: Opener) -> None:
    of = page(run(frames=5))
    view = opened(of)
    view.locator("#speed").select_option("24")
    view.locator("#play").click()
    assert shown(view) != of.runs[0].frames[-1].picture
    sync_api.expect(view.locator("#slider")).to_have_value("4")
    sync_api.expect(view.locator("#play")).to_have_attribute("aria-pressed", "false")


@pytest.mark.slow
def test_dragging_over_one_curve_zooms_all_and_they_come_back(opened: Opener) -> None:
    view = opened(page(run()))
    whole = ranges(view)
    assert set(whole) == {"0 1200"}
    assert len(whole) == 3
    over = view.locator(".u-over").nth(1)
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    view.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 40)
    view.mouse.down()
    view.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60, steps=4)
    view.mouse.up()
    closer = ranges(view)
    assert len(set(closer)) == 1
    low, high = map(float, closer[0].split())
    assert low == pytest.approx(300, abs=15)
    assert high == pytest.approx(600, abs=15)
    view.locator("#whole").click()
    assert ranges(view) == whole
    view.locator("#closer").click()
    assert ranges(view) != whole
    view.locator(".u-over").first.dblclick(position={"x": 50, "y": 60})
    assert ranges(view) == whole


def test_a_click_on_a_curve_shows_the_picture_of_that_moment(opened: Opener) -> None:
    of = page(run())
    view = opened(of)
    ranges(view)
    over = view.locator(".u-over").first
    over.click(position={"x": over.bounding_box()["width"] * 0.5, "y": 100})  # 600 images
    assert shown(view) in {of.runs[0].frames[at].picture for at in (4, 5)}


def test_numbers_along_a_curve_are_equally_far_apart(opened: Opener) -> None:
    values = tuple(0.45 + 0.011 * index for index in range(100))  # steps of 0.25
    plain = run(ticks=100).panels[0]
    panel = plain.model_copy(update={"curves": (plain.curves[0].model_copy(update={"values": values}),)})
    view = opened(page(run(ticks=100, panels=(panel,), scores=(), marks=())))
    view.evaluate("""() => {
        window.texts = [];
        const write = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
            window.texts.push(text);
            write.call(this, text, ...place);
        };
    }""")
    ranges(view)
    view.locator("#theme").click()  # draws all again
    view.wait_for_timeout(100)
    assert {"0.75", "1", "1.25"} <= set(view.evaluate("window.texts"))


def test_a_spike_does_not_flatten_a_curve(opened: Opener) -> None:
    curve = run().panels[0].curves[0]
    spike = curve.model_copy(update={"values": (*curve.values[:150], 1e9, *curve.values[151:])})
    panel = run().panels[0].model_copy(update={"curves": (spike,)})
    view = opened(page(run(panels=(panel,), scores=())))
    ranges(view)
    assert float(view.locator(".plot").get_attribute("data-highest")) < 5


def test_what_a_run_went_back_over_sets_no_limits(opened: Opener) -> None:
    panel = run().panels[0]
    wild = panel.curves[0].model_copy(update={"values": (50.0,) * 116 + (1.0,) * 84})  # given up after 700 images
    view = opened(page(run(panels=(panel.model_copy(update={"curves": (wild,)}),), scores=())))
    ranges(view)
    assert float(view.locator(".plot").get_attribute("data-highest")) < 5


def test_a_logarithmic_curve_may_fall_to_almost_nothing(opened: Opener) -> None:
    panel = run(ticks=100).panels[1]
    line = panel.curves[0].model_copy(update={"values": tuple(10.0 ** (1 - at / 4) for at in range(100))})
    still = line.model_copy(update={"values": (1e-20,) * 100})
    axes = [panel.model_copy(update={"curves": (one,)}) for one in (line, still)]
    assert len(ranges(opened(page(run(ticks=100, panels=axes))))) == 3


@pytest.mark.parametrize("where", [".track .pin.serious", ".chart .flag.serious"])
def test_a_mark_leads_to_its_card_and_the_card_to_its_moment(opened: Opener, where: str) -> None:
    of = page(run())
    view = opened(of)
    ranges(view)
    flag = view.locator(where).first
    flag.scroll_into_view_if_needed()
    flag.hover()
    assert "the pictures are alike" in view.locator("#tip").inner_text()
    flag.click()
    card = view.locator("#mark-0-0")
    assert card.evaluate("(it) => it === document.activeElement")
    card.locator(".moment-link").click()
    assert shown(view) == of.runs[0].frames[5].picture
    assert view.locator("#at").inner_text() == "600 images seen"


def test_dark_is_a_click_away_and_follows_the_system_before(opened: Opener) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = opened(page(run()))
    dark = opened(page(run()), color_scheme="dark")
    assert light.evaluate(ground) != dark.evaluate(ground)
    light.locator("#theme").click()
    assert light.evaluate(ground) == dark.evaluate(ground)


LONG = f" {'w' * 60}/{'x' * 60}"


@pytest.mark.parametrize("of", [page(run(text=LONG)), compared(), empty()], ids=["long", "several", "empty"])
def test_nothing_is_wider_than_the_window(opened: Opener, of: Page) -> None:
    view = opened(of, 1280)
    ranges(view)
    for width in (1280, 768, 375):
        view.set_viewport_size({"width": width, "height": 900})
        view.evaluate(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )  # curves follow
        assert view.evaluate("document.documentElement.scrollWidth") <= width


def test_on_paper_all_curves_are_drawn_and_all_findings_open(opened: Opener) -> None:
    view = opened(page(run()))
    view.evaluate(
        """addEventListener("beforeprint", () => {
            const count = (what) => document.querySelectorAll(what).length;
            window.seen = [count(".plot canvas"), count("details:not([open])"), document.documentElement.dataset.theme];
        })"""
    )
    assert view.pdf(format="A4").startswith(b"%PDF")
    assert view.evaluate("window.seen") == [3, 0, "light"]
    assert view.locator("details[open]").count() == 0


def test_without_scripts_the_end_the_facts_the_last_picture_and_the_findings_are_there(opened: Opener) -> None:
    of = page(run())
    view = opened(of, java_script_enabled=False)
    assert shown(view) == of.runs[0].frames[-1].picture
    text = view.locator("body").inner_text()
    for part in (
        "Scripts are off",
        "Finished after 1,200 images",
        "12 squares",
        "The pictures are alike",
        "--recipe steady",
    ):
        assert part in text
    assert not view.locator("#slider").is_visible()
    assert not view.locator("#charts").is_visible()


def test_hostile_texts_are_shown_and_never_run(opened: Opener) -> None:
    view = opened(page(run(text=HOSTILE)))
    ranges(view)
    view.locator(".chart .flag").first.hover()
    assert view.evaluate("window.pwned") is None
    assert view.locator("img:not([src^='data:']):not([hidden])").count() == 0
    for place in (".ended", ".chart h3", ".legend", "#tip", ".card h4", "pre", ".notes", ".missing", ".facts"):
        assert HOSTILE in view.locator(place).nth(int(place in (".chart h3", ".legend"))).text_content(), place


def test_runs_stand_side_by_side_at_equal_images_seen(opened: Opener) -> None:
    of = compared()
    view = opened(of)
    view.locator("#slider").fill("6")  # 700 images
    assert shown(view, 0) == of.runs[0].frames[6].picture
    assert shown(view, 1) == of.runs[1].frames[0].picture
    assert view.locator(".when").all_inner_texts() == ["after 700 images", "after 500 images"]
    view.locator("#slider").fill("0")  # 100 images: the second run had no picture yet
    assert not view.locator(".generated img.grid").nth(1).is_visible()
    assert view.locator(".nothing:visible").inner_text() == "No picture yet."
    tops = [view.locator(".generated").nth(number).bounding_box()["y"] for number in (0, 1)]
    assert tops[0] == tops[1]
    assert view.locator(".panels.beside .chart").count() == 4
    assert view.locator(".panels:not(.beside) .chart").count() == 1  # scores of one protocol, a line for each run


def test_a_score_of_another_protocol_is_a_chart_of_its_own_that_says_so(opened: Opener) -> None:
    score = run().scores[0]
    other = run("b", scores=(score.model_copy(update={"protocol": "other pictures", "images": (300, 600, 900)}),))
    says = opened(page(run(), other)).locator(".panels:not(.beside) .says").all_inner_texts()
    assert len(says) == 2
    assert all("do not compare" in text for text in says)


def test_beyond_its_last_score_a_run_keeps_it(opened: Opener) -> None:
    score = run().scores[0]
    other = run("b", scores=(score.model_copy(update={"images": (300, 600, 900), "values": (8.0, 7.0, 6.0)}),))
    view = opened(page(run(), other))
    ranges(view)
    assert view.locator(".panels:not(.beside) .legend b").all_inner_texts() == ["2", "6"]


def test_the_best_pictures_are_a_click_away(opened: Opener) -> None:
    of = page(run())
    view = opened(of)
    view.get_by_text("show the best pictures").click()
    assert shown(view) == of.runs[0].frames[7].picture


def test_runs_are_stacked_on_a_phone(opened: Opener) -> None:
    view = opened(compared(), 375)
    first, second = (view.locator(".generated").nth(number).bounding_box() for number in (0, 1))
    assert second["y"] >= first["y"] + first["height"]


def test_a_run_without_pictures_and_numbers_says_so(opened: Opener) -> None:
    view = opened(empty())
    assert view.locator(".nothing").inner_text() == "The run has kept no pictures yet."
    assert "Nothing was measured yet." in view.locator("#plots").inner_text()
    assert not view.locator(".player").is_visible()


def test_a_command_is_copied(opened: Opener) -> None:
    view = opened(page(run()))
    view.locator(".copy").click()
    assert view.evaluate("getSelection().toString()") == "steadygan train squares/ --seed 0"
    view.get_by_text("copied").wait_for()


def test_a_long_run_draws_only_the_curves_in_view(opened: Opener) -> None:
    panels = tuple(run(ticks=2000).panels[0].model_copy(update={"key": str(number)}) for number in range(8))
    view = opened(page(run(ticks=2000, frames=300, panels=panels, marks=tuple(mark(at * 30) for at in range(40)))))
    assert view.locator("canvas").count() < 6
    assert len(ranges(view)) == 9
    assert view.locator("canvas").count() == 9
