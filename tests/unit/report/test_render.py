"""The page of a report as text: complete in itself, and no text in it is more than text."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from browser.pages import HOSTILE, compared, empty, mark, page, run
from steadygan.report.document import as_json, sentence
from steadygan.report.page import Page, RunPage
from steadygan.report.render import render


class Elements(HTMLParser):
    """Every tag with its attributes, and what stands in scripts and styles, as a browser tells them apart."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        inside = self.cdata_elem
        if inside:
            self.raw.append((inside, data))
        else:
            self.text += data


def policy(html: str) -> str:
    return re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1].replace("&#39;", "'")  # type: ignore[index]


@pytest.mark.parametrize("of", [page(run()), compared(), empty(), page()], ids=["one", "several", "empty", "none"])
def test_nothing_in_a_page_points_outside_of_it(of: Page) -> None:
    html = render(of)
    for tag, attributes in Elements(html).tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith(("#", "https://"))
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert "url(" not in html.split('type="application/json"')[0]


def test_only_what_is_named_by_its_digest_may_run_or_style() -> None:
    html = render(page(run()))
    rules = dict(rule.strip().split(" ", 1) for rule in policy(html).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for tag in ("style", "script"):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
        digests = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts]
        assert rules[f"{tag}-src"].split() == digests
        assert len(digests) == {"style": 3, "script": 3}[tag]


def test_texts_make_no_elements() -> None:
    plain, hostile = Elements(render(page(run(text="x" * len(HOSTILE))))), Elements(render(page(run(text=HOSTILE))))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert hostile.text.count(HOSTILE) > 15


def test_an_address_that_is_none_of_the_web_is_no_link() -> None:
    assert "javascript:" not in render(page(run()))


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "&", "\u2028\u2029", "\ud800", "é"])
def test_json_in_a_page_ends_nothing_and_reads_back(text: str) -> None:
    written = as_json({text: text})
    assert written.isascii()
    assert not set(written) & set("<>&")
    assert json.loads(written) == {text: text}


def test_the_script_gets_the_frames_curves_scores_and_marks_of_each_run() -> None:
    data = json.loads(re.search(r'<script type="application/json" id="page">(.*?)</script>', render(compared()))[1])  # type: ignore[index]
    first, second = data["runs"]
    assert [frame["images"] for frame in second["frames"]] == [500, 1000]
    assert first["panels"][0]["curves"][0]["values"].count(None) == 1
    assert first["marks"][1] == {
        "images": 700,
        "severity": "info",
        "rule": "mode-collapse",
        "act": "set back",
        "says": "began again",
        "back_to": 0,
    }


def test_the_table_of_scores_has_the_last_value_and_that_of_the_best_checkpoint() -> None:
    row = re.search(r"<tbody>(.*?)</tbody>", render(page(run())), flags=re.DOTALL)
    assert row
    cells = Elements(row[1]).text.split("\n")
    assert [cell.strip() for cell in cells if cell.strip()] == [
        "swdlower is better",
        "2 1.5 to 2.5after 1,200",
        "1",
        "0.5",
        "64 pictures",
    ]


def test_a_score_that_was_never_a_number_has_no_row() -> None:
    score = run().scores[0].model_copy(update={"values": (None, None, None)})
    assert "Nothing was scored" in render(page(run(scores=(score,))))


def test_a_page_without_findings_says_what_that_means() -> None:
    assert "no proof that the pictures are good" in render(page(run(marks=())))
    assert "no proof" not in render(page(run()))


def test_each_mark_has_a_card_of_its_own() -> None:
    marks = (mark(0, "one", severity="info"), mark(0, "two"), mark(0, "two"), mark(9, "three", act="set back"))
    ids = [attributes["id"] for tag, attributes in Elements(render(page(run(marks=marks)))).tags if tag == "article"]
    assert sorted(ids) == ["mark-0-0", "mark-0-1", "mark-0-2", "mark-0-3"]


def test_a_run_whose_recipe_is_unknown_says_so_and_one_that_changed_nothing_too() -> None:
    assert "can no longer be told" in render(page(run(changed=None)))
    assert "the run is as the recipe says" in render(page(run(changed=())))


def scored(protocol: str = "64 pictures", better: str = "lower", value: float = 1.5) -> RunPage:
    score = run().scores[0]
    given = {"protocol": protocol, "better": better, "values": (3.0, value, 2.0)}
    return run("b", scores=(score.model_copy(update=given),))


@pytest.mark.parametrize(
    ("better", "value", "winner"), [("lower", 1.5, "1"), ("higher", 1.5, "1.5"), ("as reals", 0.2, "0.2")]
)
def test_scores_of_one_protocol_are_laid_side_by_side_and_the_best_stands_out(better, value, winner) -> None:
    html = render(page(scored(better=better, value=1.0), scored(better=better, value=value)))
    assert re.findall('class="winner">([^<]*)<', html) == [winner]
    assert "Scores side by side" in html


def test_scores_that_do_not_compare_are_not_laid_side_by_side() -> None:
    html = render(page(run(), scored("other pictures")))
    assert "Their scores do not compare" in html
    assert "winner" not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the pictures' colours", "The pictures' colours"),
        ("optimizer.generator.lr=1, b=2 helped", "optimizer.generator.lr=1, b=2 helped"),
        ("fd-training falls", "fd-training falls"),
        ("99% of it", "99% of it"),
    ],
)
def test_a_sentence_that_begins_with_a_setting_keeps_its_name(text: str, shown: str) -> None:
    assert sentence(text) == shown
