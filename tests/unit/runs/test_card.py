"""A run at one glance: what was trained, how it went and ended, and nothing in its folder makes the card fail."""

from __future__ import annotations

import pytest
from PIL import Image

from steadygan import records
from steadygan.records import DatedScore, Finding, Note
from steadygan.runs import Run, RunInfo

HOSTILE = "<img src=x onerror=alert(1)>"


def score(images, value, **more):
    return DatedScore(step=images, images=images, value=value, **{"metric": "swd", "protocol": "p", **more})


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "faces")
    spec = {"size": 16, "channels": 3}
    info = {"config": {}, "parameters": {}, "recipe": "dcgan"}
    data = {"source": HOSTILE, "digest": "d", "count": 100, "held_out": 10, "spec": spec}
    run.write_info(RunInfo.model_validate({**info, "data": data}))
    for images, colour in ((64, "red"), (128, "blue")):
        run.files.sample(images).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4), colour).save(run.files.sample(images))
    return run


def test_the_card_says_what_was_trained_and_how_it_ended(run):
    records.append(run.files.notes, Note(step=0, text="started: about 2 s"))
    assert "not finished" in run._repr_html_()
    records.append(run.files.notes, Note(step=5, text="care: set the run back to fresh weights"))
    assert "not finished" in run._repr_html_()
    records.append(run.files.notes, Note(step=9, text="finished after 128 images"))
    records.append(run.files.notes, Note(step=9, author="user", text="lovely <b>"))
    html = run._repr_html_()
    assert all(word in html for word in ("faces: dcgan", "90 images to train on", "finished after 128 images"))
    assert "after 128 images" in html
    assert "note: lovely &lt;b&gt;" in html
    assert "not finished" not in html
    assert html.count("<img ") == 1


@pytest.mark.parametrize(
    ("better", "values", "best"), [("lower", (3, 1, 2), "1"), ("higher", (1, 3, 2), "3"), ("as reals", (9, 6, 1), "6")]
)
def test_the_best_score_is_by_its_own_direction_and_stands_beside_its_floor(run, better, values, best):
    run.add_scores(score(64 * n, value, floor=5.5, better=better) for n, value in enumerate(values))
    run.add_scores([score(500, 0, floor=5.5, better=better, protocol="another"), score(600, float("nan"))])
    html = run._repr_html_()
    cells = html.split("swd</td>")[1].split("</td>")
    assert [cell.rpartition(">")[2] for cell in cells[:3]] == [best, "5.5", better]


def test_findings_are_told_once_and_the_latest_few(run):
    for number in range(5):
        for images in (64, 128):
            finding = {"rule": f"r{number}", "says": f"<i>{number}", "evidence": "", "remedy": "", "severity": "info"}
            run.write(Finding(step=1, images=images, **finding))
    html = run._repr_html_()
    assert "and 2 findings before" in html
    assert html.count("&lt;i&gt;") == 3
    assert "<i>" not in html


@pytest.mark.parametrize("content", [f"{HOSTILE}\n{{}}\n", "[" * 100_000 + "\n{}\n"], ids=["hostile", "nested"])
@pytest.mark.parametrize("name", ["run_json", "log", "scores", "findings", "notes"])
def test_a_damaged_file_is_named_and_the_rest_is_shown(run, name, content):
    getattr(run.files, name).write_text(content)
    html = run._repr_html_()
    assert getattr(run.files, name).name in html
    assert "<img src=x" not in html
    assert html.count("<img ") == 1


def test_a_folder_that_is_no_run_says_so(tmp_path):
    assert "is not the folder of a run" in Run(tmp_path)._repr_html_()


def test_a_run_stands_wherever_a_path_does(run):
    assert Run(run).info() == run.info()
