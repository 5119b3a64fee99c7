"""The page of a study: what table.json says, and nothing that runs or loads."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from steadygan.errors import ConfigError, DataError
from steadygan.names import to_json
from steadygan.report.write import write_report
from steadygan.runs.study import Arm, Dot, Effect, Question, StudyTable, read_study, run_name

HOSTILE = "<script>alert(1)</script>\"'& x"


class Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data if self.cdata_elem is None else ""

    def of(self, tag, **wanted):
        return [found for name, found in self.tags if name == tag and wanted.items() <= found.items()]


def effect(variant, *differences, **more):
    dots = [Dot(seed=seed, difference=value, value=10 + value, base=10.0) for seed, value in enumerate(differences)]
    mean = sum(differences) / len(differences) if differences else None
    return Effect(
        variant=variant, better="lower", arm=Arm(variant=variant, runs=len(dots)), mean=mean, **{"dots": dots, **more}
    )


def study(*effects, ended=10, seeds=5, **titles):
    names = {one.variant: titles.get(one.variant, "") for one in effects}
    return StudyTable(
        question=Question(metric="kid", titles=names, seeds=range(seeds), recipe="dcgan", budget="20,000 images"),
        better="lower",
        base=Arm(variant="base", runs=5, mean=10.0, spread=0.5, floor=0.25),
        effects=effects,
        sentences={name: f"{name} did something." for name in names},
        ended=ended,
    )


@pytest.fixture
def folder(tmp_path):
    """A study of which one run has its folder, pictures and report."""
    run = tmp_path / "study" / "runs" / run_name("ttur", 1)
    (run / "samples").mkdir(parents=True)
    for images, colour in ((1000, "red"), (2000, "blue")):
        Image.new("RGB", (64, 64), colour).save(run / "samples" / f"{images:09d}.png")
    (tmp_path / "study" / "runs" / run_name("base", 1)).mkdir()
    return tmp_path / "study"


def page_of(table, folder, out=None):
    (folder / "table.json").write_text(to_json(table))
    return Page(write_report(folder, out).read_text())


HELPED = {"verdict": "helped", "low": -1.5, "high": -0.5, "p_holm": 0.01}


def test_the_page_says_what_helped(folder):
    table = study(
        effect("ttur", -1.0, -1.2, -0.8, -1.1, -0.9, **HELPED), effect("r1", 0.1, -0.1, 0.0, 0.2, 0.1), ended=15
    )
    page = page_of(table, folder)
    assert "Of 2 variants 1 helped, 1 is not decided at this budget." in page.text
    assert "So far" not in page.text
    assert "ttur did something." in page.text
    assert "−1.5 to −0.5" in page.text
    assert len(page.of("circle")) == 10
    assert len(page.of("rect")) == 1


def test_a_study_in_progress_and_one_of_few_seeds_say_so(folder):
    text = page_of(study(effect("ttur", -1.0), ended=1, seeds=3), folder).text
    assert "3 seeds are too few to decide anything, 5 the least." in text
    assert "So far 1 of 6 runs have ended." in text
    assert "none is decided" in page_of(study(effect("ttur"), ended=0), folder).text


def test_dots_stand_where_they_should_and_those_far_out_at_the_border(folder):
    lost = Dot(seed=4, difference=1.0, value=None, base=10.0, diverged="variant")
    near = effect("ttur", -1.0, 1.0, 0.5, -0.5)
    table = study(near.model_copy(update={"dots": (*near.dots, lost)}), effect("far", 1.0, 0.9, 500.0))
    page = page_of(table, folder)
    places = [float(found["cx"]) for found in page.of("circle")]
    assert places[0] + places[1] == pytest.approx(600)
    assert places[0] < places[3] < 300 < places[2] < places[1] < 590
    assert len([found for found in page.of("path", **{"class": "mark"}) if found["d"].endswith("z")]) == 1
    assert "seed 2: +500 (510 against 10)" in page.text
    assert "seed 4: +1 (diverged against 10)" in page.text


def test_links_lead_to_the_runs_that_there_are(folder, tmp_path):
    table = study(effect("ttur", -1.0, -1.2))
    links = [found["href"] for found in page_of(table, folder).of("a") if not found["href"].startswith("#")]
    assert links == ["runs/ttur-seed1/", "runs/base-seed1/"]
    (folder / "runs" / "ttur-seed1" / "report.html").touch()
    elsewhere = page_of(table, folder, tmp_path / "there.html")
    links = [found["href"] for found in elsewhere.of("a") if not found["href"].startswith("#")]
    assert links == ["study/runs/ttur-seed1/report.html", "study/runs/base-seed1/"]
    assert all((tmp_path / link).exists() for link in links)


def test_the_last_pictures_of_each_seed_are_shown(folder):
    page = page_of(study(effect("ttur", -1.0, -1.2)), folder)
    assert [found["src"][:22] for found in page.of("img")] == ["data:image/webp;base64"]
    assert not page_of(study(effect("r1", -1.0)), folder).of("section", id="pictures")


def test_texts_are_only_texts_and_nothing_runs(folder):
    hostile = study(effect("ttur", -1.0, -1.2), ttur=HOSTILE).model_copy(update={"sentences": {"ttur": HOSTILE}})
    page = page_of(hostile, folder)
    assert not page.of("script")
    assert page.text.count(HOSTILE) >= 3
    policy = page.of("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert not [name for _, found in page.tags for name in found if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("reach", [3e-7, 0.02, 0.5, 1.0, 7.0, 42.0, 9e6])
def test_the_scale_has_a_few_round_numbers(folder, reach):
    (folder / "table.json").write_text(to_json(study(effect("ttur", -reach, reach))))
    scale = re.findall(r"<text [^>]*>([^<]+)</text>", write_report(folder).read_text())
    numbers = [float(text.replace("−", "-").replace(",", "")) for text in scale]
    assert 3 <= len(numbers) <= 7
    assert numbers == sorted(numbers)
    assert 0.3 * reach < numbers[-1] <= 1.6 * reach


def test_several_studies_and_a_damaged_one_are_refused(folder, tmp_path):
    (folder / "table.json").write_text(to_json(study(effect("ttur", -1.0))))
    with pytest.raises(ConfigError, match="give the study alone"):
        write_report([folder, folder])
    with pytest.raises(ConfigError, match=r"written as FILE\.html"):
        write_report(folder, tmp_path / "x.pdf")
    (folder / "table.json").write_text("{")
    with pytest.raises(DataError, match=r"table\.json is damaged"):
        write_report(folder)
    (folder / "table.json").unlink()
    assert read_study(folder) is None
    (folder / "study.json").touch()
    with pytest.raises(DataError, match="no run has ended yet"):
        write_report(folder)


def test_names_of_runs_are_folders_everywhere_and_never_the_same():
    names = [run_name(variant, 1) for variant in ("ttur", "a b", "a/b", "a  b", "..", "x" * 200, "x" * 201)]
    assert names[0] == "ttur-seed1"
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_.+=-]{1,100}", name) for name in names)
