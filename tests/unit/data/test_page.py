from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from steadygan.data import Inspection
from steadygan.data.health import examine
from steadygan.data.health.page import page, write_page
from steadygan.data.health.report import Range
from steadygan.data.health.thumbnails import Thumbnails
from steadygan.data.sources.items import Rejection
from steadygan.data.work import Entry
from steadygan.errors import StorageError

VOID = {"meta", "img", "rect", "line", "br"}
EVIL = "<script>alert('x')</script>&\"'.png"


class Reader(HTMLParser):
    """Checks that tags nest, and keeps what was met."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    def pictures(self) -> list[Image.Image]:
        sources = [attributes["src"] or "" for tag, attributes in self.tags if tag == "img"]
        return [Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))) for source in sources]

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def entries_of(number: int, side: int = 64, classes: int = 0, name: str = "{}.png") -> list[Entry]:
    return [
        Entry(file=name.format(at), size=(side, side), mode="RGB", format="PNG", crop=(0, 0, side, side),
              digest=str(at), label=f"class {at % classes}" if classes else None)
        for at in range(number)
    ]  # fmt: skip


def inspected(images: NDArray[np.uint8], entries: list[Entry], rejected: tuple[Rejection, ...] = ()) -> Inspection:
    labels = sorted({it.label for it in entries if it.label is not None})
    around = Range(min=1, median=2, max=3)
    return Inspection(
        path=Path("/data/<photos>"), kind="folder", images=len(images), size=images.shape[1], channels=images.shape[3],
        enlarged=0, widths=around, heights=around, modes={"RGB": len(images)}, formats={}, changes={}, grey=0,
        classes={label: sum(it.label == label for it in entries) for label in labels}, rejected=rejected,
        passed_over={}, converted="All are.", advice=(), health=examine(images, entries),
    )  # fmt: skip


def noise(number: int, side: int = 64, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (number, side, side, channels), np.uint8)


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize(("side", "channels"), [(1, 2), (16, 1), (28, 2), (64, 3), (64, 4), (256, 3)])
def test_sets_of_any_form_get_a_whole_page(side: int, channels: int, classes: int) -> None:
    images, entries = noise(40, side, channels), entries_of(40, side, classes)
    reader = read(page(inspected(images, entries), images, entries))
    shown = reader.pictures()
    assert len(shown) == (0 if side == 1 else 40 + 6 * classes)
    assert {it.mode for it in shown} <= ({"L"} if channels < 3 else {"RGB"})
    assert {it.size for it in shown} <= {(min(side, 64),) * 2}
    assert ("Classes" in reader.words()) == bool(classes)
    assert "Files that cannot be used" not in reader.words()


def test_the_page_needs_nothing_from_outside_and_runs_nothing() -> None:
    images, entries = noise(30), entries_of(30, classes=2)
    html = page(inspected(images, entries), images, entries)
    reader = read(html)
    assert not {tag for tag, _ in reader.tags} & {"script", "link", "iframe", "object", "base", "form"}
    links = {"src", "href", "srcset", "xlink:href"}
    values = [value or "" for _, attributes in reader.tags for key, value in attributes.items() if key in links]
    outside = [value for value in values if not value.startswith("data:image/")]
    assert outside == []
    assert not re.search(r"url\(|@import|https?:", html)
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_names_from_outside_are_text_and_no_markup(tmp_path: Path) -> None:
    images, entries = noise(30), entries_of(30, name="{}" + EVIL)
    entries = [it.model_copy(update={"label": f"{EVIL} {at % 2}"}) for at, it in enumerate(entries)]
    images[3] = images[2]
    found = inspected(images, entries, (Rejection(EVIL, f"is broken {EVIL}"), Rejection("a\udcff.png", "is odd")))
    write_page(found, images, entries, tmp_path / "page.html")
    reader = read((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "script" not in {tag for tag, _ in reader.tags}
    assert f"is broken {EVIL}" in reader.words()
    assert any(attributes.get("title") == f"0{EVIL}" for _, attributes in reader.tags)
    assert "/data/<photos>" in reader.words()


def test_findings_show_sentence_remedy_and_pictures(tmp_path: Path) -> None:
    images, entries = noise(30), entries_of(30)
    images[9] = images[4]
    images[20:23] = 80
    found = inspected(images, entries, (Rejection("bad.jpg", "is cut short; get it again"),))
    write_page(found, images, entries, tmp_path / "deep" / "page.html")
    reader = read((tmp_path / "deep" / "page.html").read_text(encoding="utf-8"))
    words = reader.words()
    for finding in found.health.findings:
        assert finding.sentence[1:] in words
        assert finding.remedy[1:] in words
    assert "bad.jpg is cut short; get it again" in words
    assert "contrast 0.0" in words
    assert len(reader.pictures()) == 30 + 2 + 3
    plain = [np.asarray(it) for it in reader.pictures() if np.ptp(np.asarray(it)) < 3]
    assert len(plain) == 6  # three among the random images, three with the finding
    assert abs(int(plain[0].mean()) - 80) <= 2


def test_bars_of_classes_and_histograms_are_to_scale() -> None:
    images, entries = noise(30), entries_of(30)
    entries = [it.model_copy(update={"label": "many" if at < 20 else "some"}) for at, it in enumerate(entries)]
    html = page(inspected(images, entries), images, entries)
    widths = re.findall(r"width:([\d.]+)%", html)
    assert widths == ["100.0", "50.0"]
    first = html[html.index("<svg") : html.index("</svg>")]
    heights = [float(it) for it in re.findall(r'height="([\d.]+)"', first)]
    assert (max(heights), sum(it > 0 for it in heights)) == (90, 1)  # all have the same width
    assert ": 30</title>" in first


def test_the_largest_pages_stay_below_three_megabytes() -> None:
    images = noise(1_200, 127)
    for at in range(0, 200, 2):
        images[at + 1] = images[at]
    images[300:400] = 9
    entries = entries_of(1_200, classes=300, name="some/long/folder/name/that/goes/on/{}.png")
    rejected = tuple(Rejection(f"bad {at}", "is broken " * 20) for at in range(5_000))
    html = page(inspected(images, entries, rejected), images, entries)
    assert 500_000 < len(html.encode()) < 3_000_000
    assert "and 4,800 more files" in html
    assert "and 100 more classes" in html
    assert html.count("<td>is broken ") == 200
    read(html)


def test_pictures_are_smaller_where_there_are_many() -> None:
    images = noise(30, 127)
    sources = [Thumbnails(images, number).source(0) for number in (10, 200, 2_000)]
    sizes = [read(f"<img src='{source}'>").pictures()[0].width for source in sources]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (96, 32)


def test_a_page_without_any_image_is_a_page() -> None:
    found = inspected(np.zeros((0, 64, 64, 3), np.uint8), [], (Rejection("a.jpg", "is empty"),))
    words = read(page(found, np.zeros((0, 64, 64, 3), np.uint8), [])).words()
    assert "a.jpg is empty" in words


def test_the_page_is_the_same_every_time_and_needs_a_place(tmp_path: Path) -> None:
    images, entries = noise(50), entries_of(50)
    found = inspected(images, entries)
    assert page(found, images, entries) == page(found, images, entries)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*page\.html"):
        write_page(found, images, entries, tmp_path / "file" / "page.html")
