"""The studio in a browser: data pages, and a run from the form to the list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason='needs the studio: pip install "steadygan[studio]"')
pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
from playwright.sync_api import expect

from browser.listening import listening
from steadygan.config import changes, merge
from steadygan.config.load import nested
from steadygan.data import prepare
from steadygan.recipes.schema import AllRecipes, all_recipes
from steadygan.training.config import RunConfig
from steadygan.web.studio import Studio, id_of
from tiny import draw

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawings with copies and files that are none, prepared in a folder of runs."""
    folder = tmp_path_factory.mktemp("studio")
    draw(folder / "photos", 40, size=32)
    for number in range(3):
        (folder / f"photos/copy{number}.png").write_bytes((folder / f"photos/000{number}.png").read_bytes())
        (folder / f"photos/broken{number}.png").write_bytes(b"no picture")
    prepare(folder / "photos", folder / "runs" / "set", workers=0)
    return folder


@pytest.fixture(scope="module")
def address(world: Path) -> Iterator[str]:
    """A studio that listens."""
    studio = Studio(world / "runs")
    with listening(studio) as here:
        yield here
    for job in studio.processes._jobs.values():
        job.process.wait()


def is_wrong(message: Any) -> bool:
    """Whether a page of this part complains; that of a run asks for files that a young run has not."""
    return message.type in ("error", "warning") and "/runs/" not in message.location["url"]


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """Opens a page; afterwards nothing may have gone wrong in it."""
    wrong: list[str] = []
    contexts: list[Any] = []

    def opened(url: str, **options: Any) -> Any:
        context = browser.new_context(reduced_motion="reduce", **options)
        contexts.append(context)
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda one: wrong.append(f"{one.text} {one.location}") if is_wrong(one) else None)
        page.route("**/api/new/recipes", lambda route: route.fulfill(json=RECIPES))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


FOUND: AllRecipes = all_recipes()
RECIPES = json.loads(FOUND.model_dump_json())


expect.set_options(120_000)  # a machine may be busy
PHONE = {"viewport": {"width": 360, "height": 800}, "color_scheme": "dark"}


def until(page: Any, place: str, text: str) -> None:
    """Wait for a text; a page under its policy cannot be asked to wait by JavaScript."""
    expect(page.locator(place)).to_contain_text(text)


def narrow(page: Any) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("form", [PHONE, pytest.param({}, marks=pytest.mark.slow)], ids=["phone", "desk"])
def test_duplicates_stand_side_by_side_and_files_that_cannot_be_used_say_why(world, address, tab, form):
    page = tab(f"{address}/data", **form)
    page.click(".sets a")
    assert page.url == f"{address}/data/{id_of(world / 'runs' / 'set')}"
    copies = page.locator("#exact-duplicates .group")
    assert copies.count() == 3
    pictures = copies.nth(0).locator("img")
    pictures.nth(0).scroll_into_view_if_needed()
    expect(pictures.nth(1)).to_have_js_property("naturalWidth", 64)
    boxes = [pictures.nth(number).bounding_box() for number in range(2)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    rows = page.locator("#rejected tbody tr").all_inner_texts()
    assert len(rows) == 3
    assert all(re.match(r"broken\d.png\s+\S", row) for row in rows)
    assert narrow(page)
    page.click("text=Train on it")
    page.wait_for_selector("#settings details")
    assert page.input_value("#source") == str(world / "photos")
    assert narrow(page)


def test_the_form_finds_the_same_differences_as_the_command_line(address, tab):
    """For every recipe and the next: what differs, what is sent, and what comes of it."""
    page = tab(f"{address}/new")
    configs = [entry["config"] for entry in RECIPES["recipes"]]
    pairs = list(zip(configs, [*configs[1:], configs[0]], strict=True))
    given = page.evaluate(
        """async ([pairs, root]) => {
            const { Schema, changes, overlay } = await import("/assets/settings.js");
            const schema = new Schema(root);
            return pairs.map(([base, tree]) => {
                const differ = changes(tree, base);
                const one = (act, [at, it]) => [at, schema[act](schema.at(at, tree), it)];
                const each = (act, all) => Object.fromEntries(Object.entries(all).map((it) => one(act, it)));
                const lean = each("lean", differ);
                return { differ, lean, again: changes(overlay(base, each("full", lean)), tree) };
            });
        }""",
        [pairs, RECIPES["json_schema"]],
    )
    for (base, tree), found in zip(pairs, given, strict=True):
        assert found["differ"] == {place: value for place, (value, _) in changes(tree, base).items()}
        assert found["again"] == {}
        sent = merge(base, *(nested(place.split("."), value) for place, value in found["lean"].items()))
        assert RunConfig.model_validate(sent).dump() == tree
        assert len(json.dumps(found["lean"])) <= len(json.dumps(found["differ"]))


@pytest.mark.slow
def test_every_setting_of_every_recipe_has_a_field(address, tab):
    page = tab(f"{address}/new?source=builtin:critters")
    for entry in RECIPES["recipes"]:
        page.check(f"#recipes input[value={entry['name']}]")
        places = set(page.evaluate("[...document.querySelectorAll('.field')].map((it) => it.dataset.place)"))
        wanted = set(leaves(entry["config"])) - {
            "recipe",
            "data.source",
            "budget",
        }  # chosen elsewhere; its limits stand alone
        assert wanted - places == set()
        assert page.locator(".field.changed").count() == 0
        broken = page.evaluate(
            "[...document.querySelectorAll('.field input, .field select')].filter((it) => it.selectedIndex === -1"
            " || ['undefined', '[object Object]'].includes(it.value)).map((it) => it.id)"
        )
        assert broken == []


def leaves(tree: Any, place: str = "") -> Iterator[str]:
    """The places of all settings, those in lists too; a kind is its part."""
    pairs = enumerate(tree) if isinstance(tree, list) else tree.items()
    for name, value in pairs:
        here = f"{place}.{name}".lstrip(".")
        parts = isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict) for one in value))
        if name != "kind":
            yield here
        if parts:
            yield from leaves(value, here)


def test_what_was_typed_makes_the_command_survives_and_is_told_what_is_wrong(address, tab):
    page = tab(f"{address}/new?source=builtin:critters&recipe=dcgan")
    problems = [
        {"setting": "batch", "problem": "batch: must be a number"},
        {"setting": "optimizer.generator.lr", "problem": "optimizer.generator.lr: must be more than 0"},
        {"setting": "penalties[0].gamma", "problem": "penalties[0].gamma: no"},
        {"setting": "", "problem": "something else"},
    ]
    page.route("**/api/new/check", lambda route: route.fulfill(json={"id": "1-1"}))
    page.route("**/api/jobs/1-1", lambda route: route.fulfill(json={"code": 2, "line": ""}))
    page.route("**/api/new/check/1-1", lambda route: route.fulfill(json={"problems": problems}))
    page.wait_for_selector("#settings details")
    page.fill("#f-batch", "many")
    page.press("#f-batch", "Tab")
    for name in ("loss", "penalties", "optimizer"):
        page.click(f"#settings details:has(> summary b:text-is('{name}')) > summary")
    page.select_option("#f-loss", "hinge")
    page.click("#f-penalties")
    page.fill("[id='f-penalties.0.gamma']", "3.5")
    page.press("[id='f-penalties.0.gamma']", "Tab")
    until(page, "#command", "gamma")
    command = page.inner_text("#command")
    assert "--set batch=many --set loss=hinge" in command
    assert '\'penalties=[{"kind": "r1", "gamma": 3.5}]\'' in command
    page.reload()
    page.wait_for_selector("#settings details")
    until(page, "#command", "gamma")
    assert page.inner_text("#command") == command
    assert page.input_value("#f-batch") == "many"
    page.click("#check")
    page.wait_for_selector("#wrong-batch span")
    for problem in problems[:-1]:
        place = problem["setting"].replace("[0]", ".0")
        said = problem["problem"].removeprefix(f"{problem['setting']}: ")  # the field has its name already
        assert page.inner_text(f"[id='wrong-{place}']") == said
        assert page.is_visible(f"[id='f-{place}']")
    assert page.inner_text("#wrong") == "something else"
    page.goto(f"{address}/data")
    page.goto(f"{address}/new")
    until(page, "#command", "gamma")
    page.click("text=take back")
    expect(page.locator("#command")).not_to_contain_text("--set")


@pytest.mark.slow
def test_a_run_is_checked_started_from_the_form_trains_and_is_in_the_list(world, address, tab):
    page = tab(f"{address}/new")
    page.wait_for_selector("#settings details")
    page.fill("#source", str(world / "phtos"))
    page.check('#recipes input[value="dcgan"]')
    for place, text in {"budget.steps": "12", "batch": "8", "size": "16"}.items():
        page.fill(f"[id='f-{place}']", text)
        page.press(f"[id='f-{place}']", "Tab")
    page.click("#settings details:has(> summary b:text-is('networks')) > summary")
    page.fill("[id='f-networks.width']", "4")
    page.press("[id='f-networks.width']", "Tab")
    page.click("#check")
    page.wait_for_selector("[id='wrong-data.source'] span")
    assert "phtos" in page.inner_text("[id='wrong-data.source']")
    page.fill("#source", str(world / "photos"))
    page.click("#check")
    page.wait_for_selector("#foreseen .facts dt")
    assert re.search(r"steps\s+12\b", page.inner_text("#foreseen"))
    assert "3 files cannot be used" in page.inner_text("#foreseen")
    assert "The same images several times" in page.inner_text("#foreseen")
    page.fill("#name", "from-the-form")
    until(page, "#command", "from-the-form")
    page.click("#start")
    run = world / "runs" / "from-the-form"
    page.wait_for_url(f"{address}/runs/{id_of(run)}")
    page.goto(f"{address}/")
    page.wait_for_selector("text=from-the-form")
    while "finished" not in (run / "notes.jsonl").read_text():
        page.wait_for_timeout(500)
    info = json.loads((run / "run.json").read_text())
    assert (info["config"]["batch"], info["config"]["size"], info["config"]["networks"]["width"]) == (8, 16, 4)
    assert (run / "checkpoints" / "latest").exists()
    assert page.goto(f"{address}/data").ok
    assert "1 run" in page.inner_text(".sets")
