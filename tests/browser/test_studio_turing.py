"""The Turing test in a browser: taken by several raters, with and without a mouse, from the start to the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.listening import listening
from judged import choice, make_test, take
from steadygan.turing.folder import TuringFolder

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytest.importorskip("uvicorn", reason='needs the studio: pip install "steadygan[studio]"')
pytestmark = [pytest.mark.browser]

Opener = Callable[..., Any]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A studio over the run a, with a test of each kind; the address of that run's tests."""
    from steadygan.web.studio import Studio, id_of

    for kind, count in (("pairs", 4), ("sheets", 2), ("letters", 1)):
        make_test(tmp_path / "a", kind, count)
    with listening(Studio(tmp_path)) as here:
        yield f"{here}/runs/{id_of(tmp_path / 'a')}/turing"


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Opener]:
    """Opens a page of the studio for a rater with a browser of their own; nothing may go wrong in it."""
    contexts, wrong = [], []

    def show(where: str = "", width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
        context.set_default_timeout(120_000)
        contexts.append(context)
        view = context.new_page()
        view.on("pageerror", lambda error: wrong.append(str(error)))
        view.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        view.goto(address + where)
        return view

    yield show
    for context in contexts:
        context.close()
    assert wrong == []


def begin(view: Any, name: str) -> None:
    view.keyboard.type(name)
    view.keyboard.press("Enter")
    see(view, "#ask")


def see(view: Any, where: str) -> None:
    view.locator(where).wait_for()


def waits_for(view: Any, rater: str, number: int, of: int) -> None:
    """Until the screen of this number is there with all its pictures."""
    sync_api.expect(view.locator("#where")).to_have_text(f"{rater}, {number} of {of}")
    sync_api.expect(view.locator("#pictures.coming")).to_have_count(0)


def folder_of(tmp_path: Path, kind: str) -> TuringFolder:
    return TuringFolder(tmp_path / "a" / "turing" / f"{kind}-01")


@pytest.mark.slow
def test_two_raters_take_a_test_at_once_one_by_keyboard_and_one_by_mouse(
    opened: Opener, address: str, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, "pairs")
    ada, bo = opened("/pairs-01"), opened("/pairs-01")
    begin(ada, "Ada")
    bo.fill("#name", "Bo")
    bo.get_by_role("button", name="Begin").click()
    keys = {"left": ("ArrowLeft", "1"), "right": ("ArrowRight", "2")}
    for number in range(4):
        waits_for(ada, "Ada", number + 1, 4)
        [question] = folder.next_screen("Ada")
        ada.keyboard.press(keys[choice(folder, question, right=True)][number % 2])
        waits_for(bo, "Bo", number + 1, 4)
        [question] = folder.next_screen("Bo")
        bo.locator(f'[data-side="{choice(folder, question, right=number > 0)}"]').click()
    for view, name in ((ada, "Ada"), (bo, "Bo")):
        sync_api.expect(view.locator("#done h1")).to_have_text(f"Thank you, {name}")
    assert [(answer.rater, answer.right) for answer in folder.answers()].count(("Ada", True)) == 4
    ada.get_by_role("link", name="Result").click()
    sync_api.expect(ada.locator("h1")).to_have_text(re.compile("No proof that the fakes can be told apart"))
    assert "7 of 8 answers are right" in ada.locator(".turing-says").inner_text()
    cells = ada.locator("tbody tr").all_inner_texts()
    assert [re.split(r"\s*\t\s*", row)[:2] for row in cells] == [["all", "7 of 8"], ["Ada", "4 of 4"], ["Bo", "3 of 4"]]
    assert ada.locator("#fakes ~ .votes figure").count() == 1  # the one that Bo took for real
    with ada.expect_download() as kept:
        ada.get_by_role("link", name="Result as JSON").click()
    assert kept.value.suggested_filename == "a-pairs-01.json"


@pytest.mark.slow
def test_a_rater_who_closes_the_page_goes_on_at_the_same_question(opened: Opener, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "pairs")
    view = opened("/pairs-01")
    begin(view, "Ada")
    waits_for(view, "Ada", 1, 4)
    view.keyboard.press("ArrowLeft")
    waits_for(view, "Ada", 2, 4)
    shown = view.locator("#pictures img").evaluate_all("all => all.map((it) => it.src)")
    view.reload()
    waits_for(view, "Ada", 2, 4)
    assert view.locator("#pictures img").evaluate_all("all => all.map((it) => it.src)") == shown
    other = opened("/pairs-01")
    other.get_by_role("button", name="Ada (3 left)").click()
    waits_for(other, "Ada", 2, 4)
    assert other.locator("#pictures img").evaluate_all("all => all.map((it) => it.src)") == shown
    view.keyboard.press("2")
    waits_for(view, "Ada", 3, 4)
    other.keyboard.press("1")  # of the same question, in an older window
    sync_api.expect(other.locator("#where")).to_have_text("Ada, 3 of 4")
    assert len(folder.answers()) == 2
    assert folder.answers()[1].choice == "right"


@pytest.mark.slow
def test_a_mixed_sheet_is_marked_by_keyboard_alone(opened: Opener, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "sheets")
    view = opened("/sheets-01")
    begin(view, "Ada")
    for number in (1, 2):
        waits_for(view, "Ada", number, 2)
        numbers = folder.next_screen("Ada")
        view.keyboard.press("ArrowRight")  # from nowhere: to the first
        for question in numbers:
            if folder.test.questions[question].truth == "fake":
                view.keyboard.press("Space")
            view.keyboard.press("ArrowRight")
        view.keyboard.press("Tab")
        sync_api.expect(view.get_by_role("button", name="Done with this sheet")).to_be_focused()
        view.keyboard.press("Enter")
    see(view, "#done")
    assert [answer.right for answer in folder.answers()] == [True] * 8


@pytest.mark.slow
def test_a_letter_is_typed_or_touched(opened: Opener, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "letters")
    letter = folder.test.questions[0].truth
    view = opened("/letters-01")
    begin(view, "Ada")
    waits_for(view, "Ada", 1, 1)
    assert view.locator("#pictures img").count() == 49
    view.keyboard.press(letter.lower())
    see(view, f"text=It is {letter}")
    view.keyboard.press("Enter")
    see(view, "#done")
    phone = opened("/letters-01", 380, has_touch=True, color_scheme="dark")
    begin(phone, "Bo")
    waits_for(phone, "Bo", 1, 1)
    phone.get_by_role("button", name=letter, exact=True).tap()
    phone.get_by_role("button", name=f"It is {letter}").tap()
    see(phone, "#done")
    assert [(answer.rater, answer.right) for answer in folder.answers()] == [("Ada", True), ("Bo", True)]
    phone.get_by_role("link", name="Result").tap()
    see(phone, ".told .fake >> nth=0")
    assert phone.locator(".told .fake").count() == len(folder.test.questions[0].fakes)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 768, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_the_window(width: int, scheme: str, opened: Opener, tmp_path: Path) -> None:
    for kind in ("pairs", "sheets", "letters"):
        take(folder_of(tmp_path, kind), "W" * 60)
    for where in ("", *(f"/{kind}-01{page}" for kind in ("pairs", "sheets", "letters") for page in ("", "/result"))):
        view = opened(where, width, color_scheme=scheme)
        if view.locator("#name").count():
            begin(view, "Ada")
        assert view.evaluate("document.documentElement.scrollWidth") <= width, where


@pytest.mark.slow
def test_a_result_that_waits_can_be_opened(opened: Opener, tmp_path: Path) -> None:
    take(folder_of(tmp_path, "pairs"), "Ada", screens=2)
    view = opened("/pairs-01/result")
    assert "Ada: 2 of 4" in view.locator("main").inner_text()
    view.get_by_role("button", name="End the test now").click()
    sync_api.expect(view.locator(".turing-says")).to_contain_text("Not finished: Ada (2 left)")


@pytest.mark.slow
def test_what_a_new_test_lacks_is_said_on_the_page(opened: Opener) -> None:
    view = opened()
    view.get_by_text("Letter sheets").click()
    assert view.locator("#number").input_value() == "5"
    view.get_by_role("button", name="Draw the pictures").click()
    said = view.wait_for_selector("#said .wrong")
    assert "run.json" in said.inner_text()
    sync_api.expect(view.get_by_role("button", name="Draw the pictures")).to_be_enabled()
