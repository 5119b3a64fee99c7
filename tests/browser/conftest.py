"""A Chromium for all pages, and offline tabs of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIETLY = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
Opener = Callable[..., Any]


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs a Chromium: apt install chromium")
    sync_api.expect.set_options(60_000)  # ms, for what a busy machine takes to show
    with sync_api.sync_playwright() as player:
        chromium = player.chromium.launch(executable_path=CHROMIUM, args=QUIETLY)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def tabs(browser: Any) -> tuple[Opener, list[str]]:
    """An offline tab of each kind that tests ask for, since new ones take most of the time; and what went wrong."""
    there: dict[str, Any] = {}
    wrong: list[str] = []

    def asked(route: Any) -> None:
        wrong.append(f"asked for {route.request.url[:80]}")
        route.abort()

    def made(**options: Any) -> Any:
        context = browser.new_context(reduced_motion="reduce", **options)
        context.set_offline(True)
        context.set_default_timeout(10_000)
        context.add_init_script("localStorage.clear()")
        context.route(lambda url: not url.startswith(("file:", "data:", "blob:")), asked)
        view = context.new_page()
        view.on("pageerror", lambda error: wrong.append(str(error)))
        view.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        return view

    def tab(**options: Any) -> Any:
        key = str(options)
        there[key] = there.get(key) or made(**options)
        return there[key]

    return tab, wrong
