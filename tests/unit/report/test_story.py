"""What a report shows of a run folder, whole, damaged or hostile."""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import steadygan as sg
from bombs import a_bomb
from steadygan.records import DatedScore, Finding, Note, Signals, Tick, append
from steadygan.report.page import RunPage
from steadygan.report.story import page_of
from steadygan.rundir import RunDir

INFO = {
    "recipe": "dcgan",
    "seed": 7,
    "config": {"batch": 16, "size": 16, "budget": {"images": 960}, "loss": {"kind": "hinge"}},
    "parameters": {"generator": 1200, "discriminator": 900},
    "data": {"source": "/photos", "digest": "d1", "count": 100, "held_out": 20, "spec": {"size": 16, "channels": 3}},
}
PROTOCOL = "fd-1 scattering-1 resize=bicubic-antialiased-64 n=20 held-out of 0123456789ab seed=0 #36f449dd"
PICKS = "fd-training-1 scattering-1 resize=bicubic-antialiased-64 n=80 training of 0123456789ab; picks the best"
HOSTILE = "</script><script>alert(1)</script><!-- & ' \" \u2028 \x1b[2J \u202e"


def tick(number: int, **others: float) -> Tick:
    plain = dict.fromkeys(("d_real", "d_fake", "accuracy_real", "accuracy_fake", "lr_d", "lr_g"), 0.5)
    values = {"loss_d": 1.0, "loss_g": 2.0, "grad_norm_d": 1.0, "grad_norm_g": 1.0, "images_per_second": 8.0}
    return Tick.model_validate(
        {"step": number, "images": 16 * number, "seconds": 2.0 * number, **plain, **values, **others}
    )


def noise(size: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8))


@pytest.fixture
def run(tmp_path):
    """A finished run of sixty ticks, with grids at 320, 640 and 960 images."""
    files = RunDir(tmp_path / "run")
    files.samples.mkdir(parents=True)
    files.run_json.write_text(json.dumps(INFO))
    for number in range(1, 61):
        append(files.log, tick(number))
    for number in (10, 30, 50):
        append(files.signals, Signals(step=number, images=16 * number, accuracy_held_out=number / 100, diversity=0.2))
    append(files.scores, DatedScore(step=40, images=640, metric="fd", value=9.0, floor=2.5, protocol=PROTOCOL))
    append(files.findings, Finding(step=20, images=320, rule="x", severity="warning", evidence="e", remedy="r"))
    append(files.notes, Note(step=0, text="started: about 2 min"))
    append(files.notes, Note(step=60, images=960, text="finished after 960 images"))
    for number in (320, 640, 960):
        noise(48, number).save(files.sample(number))
    noise(48).save(files.inputs)
    return sg.Run(files.path)


def page(run: sg.Run) -> RunPage:
    return page_of([run]).runs[0]


def value_at(found: RunPage, panel: str, curve: str) -> dict[int, float | None]:
    [values] = [line.values for one in found.panels if one.key == panel for line in one.curves if line.name == curve]
    return dict(zip(found.images, values, strict=True))


def test_a_run_is_told_in_a_sentence_with_its_facts_pictures_curves_and_scores(run):
    found = page(run)
    assert found.ended == "Finished after 960 images in 2 min; no checkpoint was scored."
    facts = dict(found.facts)
    assert facts["Trained on"] == "photos: 100 images, 20 of them held out from training"
    assert facts["Images seen"] == "960, each 12 times"
    assert [frame.images for frame in found.frames] == [320, 640, 960]
    assert all(frame.picture.startswith("data:image/webp;base64,") for frame in found.frames)
    assert [panel.key for panel in found.panels] == ["loss", "logits", "accuracy", "gradients", "diversity", "speed"]
    assert found.images == tuple(range(16, 961, 16))
    [score] = found.scores
    assert (score.floor, score.values) == (2.5, (9.0,))
    assert score.protocol.startswith("20 pictures against as many images the run has never seen, in the features scatt")


def test_what_is_measured_more_rarely_is_joined_between_two_measurements_and_not_beyond(run):
    held_out = value_at(page(run), "accuracy", "held-out reals")
    assert (held_out[160], held_out[320], held_out[480]) == (0.1, 0.2, 0.3)
    assert held_out[144] is held_out[816] is None


def test_curves_have_a_gap_where_the_run_was_set_back(run):
    back = {"rule": "care-set-back", "severity": "info", "evidence": "e", "remedy": "r", "back_to": 160}
    append(run.files.findings, Finding(step=20, images=320, **back))
    found = page(run)
    assert found.images[19:22] == (320, 320, 336)
    losses = next(panel for panel in found.panels if panel.key == "loss").curves[0].values
    assert [value is None for value in losses[18:22]] == [False, False, True, False]
    assert [(mark.act, mark.back_to) for mark in found.marks] == [("", None), ("set back", 160)]
    held_out = value_at(found, "accuracy", "held-out reals")
    assert held_out[304] is None, "no line leads over the set-back"


def test_a_long_log_keeps_the_spikes_of_each_curve(run):
    run.files.log.unlink()
    with run.files.log.open("w") as file:
        for number in range(1, 4501):
            spike = {"loss_d": 50.0} if number == 4321 else {"grad_norm_g": 70.0} if number == 3456 else {}
            file.write(tick(number, **spike).model_dump_json() + "\n")
    found = page(run)
    assert len(found.images) <= 4000
    assert value_at(found, "loss", "discriminator")[16 * 4321] == 50
    assert value_at(found, "gradients", "generator")[16 * 3456] == 70


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("stopped on request after 960 images", "Stopped on request after 960 images"),
        ("training diverged: the generator's gradient", "Diverged, with values that were not finite, after 960"),
        ("ended by an error after 960 images: no space", "Ended by an error after 960 images"),
        ("resumed after 640 images", "Not at its end: still training, or ended from outside, after 960"),
    ],
)
def test_the_end_of_a_run_is_told_from_its_last_note(run, text, beginning):
    append(run.files.notes, Note(step=60, images=960, text=text))
    append(run.files.notes, Note(step=60, images=960, text="finished, I think", author="user"))
    assert page(run).ended.startswith(beginning)


def test_the_end_tells_what_care_set_back_and_that_a_single_score_is_no_best(run):
    append(run.files.scores, DatedScore(step=60, images=960, metric="fd-training", value=4.0, protocol=PICKS))
    saved = run.files.checkpoint(960)
    saved.mkdir(parents=True)
    saved.joinpath("meta.json").write_text(json.dumps({"step": 60, "images": 960, "seconds": 1.0}))
    run.files.best.write_text(saved.name)
    back = {"rule": "care-set-back", "severity": "info", "evidence": "e", "remedy": "r", "back_to": 160}
    for step in (20, 30):
        append(run.files.findings, Finding(step=step, images=16 * step, **back))
    assert page(run).ended == (
        "Finished after 960 images in 2 min; set back by care after 480 images, and once before; "
        "only its last pictures were scored."
    )


@pytest.mark.parametrize(
    ("images", "told"), [(16, "16, of 80 that there are"), (80, "80, each once"), (960, "960, each 12 times")]
)
def test_images_seen_are_told_beside_those_there_are(run, images, told):
    for name in (run.files.log, run.files.signals, run.files.notes):
        name.unlink()
    append(run.files.log, tick(images // 16))
    assert dict(page(run).facts)["Images seen"] == told


def test_lines_of_a_note_and_paragraphs_of_a_recipe_stay(run):
    basis = {
        "about": "The default: a\nloss.\n\nThe rest\nof it.",
        "sources": [["A (2014). B. https://c.org", "https://c.org"]],
    }
    run.files.run_json.write_text(json.dumps(INFO | {"basis": basis}))
    append(run.files.notes, Note(step=60, images=960, text="one\ntwo", author="user"))
    found = page(run)
    assert found.recipe.about == "The default: a loss.\nThe rest of it."
    assert found.recipe.sources[0].title == "A (2014). B."
    assert found.notes[-1].text == "one\ntwo"


@pytest.mark.parametrize(("held_out", "size", "offered"), [(20, 16, True), (6, 16, False), (20, 1, False)])
def test_a_search_for_copies_is_offered_where_it_can_be_done(run, held_out, size, offered):
    data = INFO["data"] | {"held_out": held_out, "spec": {"size": size, "channels": 3}}
    run.files.run_json.write_text(json.dumps(INFO | {"data": data}))
    assert any("--metrics memorised" in command for _, command in page(run).commands) == offered


def test_a_mark_shows_the_grid_made_next(run):
    append(
        run.files.findings,
        Finding(step=21, images=336, rule="y", severity="info", evidence="e", remedy="r", picture="progress.gif"),
    )
    plain, marked = page(run).marks
    assert plain.picture == ""
    shutil.copy(run.files.sample(640), run.files.sample(320))
    run.files.sample(960).unlink()
    assert page(run).marks[1].picture == marked.picture


def test_a_folder_with_nothing_but_run_json_is_shown(run):
    for entry in run.path.iterdir():
        if entry.name != "run.json":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    found = page(run)
    assert (
        found.ended
        == "Not at its end: still training, or ended from outside, after 0 images; no checkpoint was scored."
    )
    assert (found.frames, found.panels, found.scores, found.marks, found.notes) == ((), (), (), (), ())
    assert any("inputs.png: it is not there" in sentence for sentence in found.missing)
    assert "<html" in sg.write_report(run).read_text()


def test_damage_within_a_log_is_said_and_the_rest_is_shown(run):
    lines = run.files.log.read_text().splitlines()
    run.files.log.write_text("\n".join([*lines[:5], '{"step": "?"}', *lines[6:]]))
    found = page(run)
    assert any("log.jsonl, line 6 is not a Tick" in sentence for sentence in found.missing)
    assert [panel.key for panel in found.panels] == ["accuracy", "diversity"]
    assert (len(found.frames), len(found.scores), len(found.notes)) == (3, 1, 2)


@pytest.mark.parametrize("odd", ["x", [1], {"kind": "own"}, float("nan"), 1e308, 10**400, -1, None])
@pytest.mark.parametrize("place", ["images", "steps", "minutes", "budget", "batch", "loss"])
def test_settings_that_are_none_are_no_end_of_a_report(run, place, odd):
    group = {"budget": {place: odd}} if place in ("images", "steps", "minutes") else {place: odd}
    run.files.run_json.write_text(json.dumps(INFO | {"config": INFO["config"] | group}))
    assert page(run).ended.startswith("Finished")


def test_numbers_that_are_none_are_gaps(run):
    append(run.files.log, tick(61, loss_d=float("nan"), loss_g=float("inf"), grad_norm_d=0, seconds=float("nan")))
    append(run.files.scores, DatedScore(step=61, images=976, metric="fd", value=float("nan"), protocol=PROTOCOL))
    found = page(run)
    assert value_at(found, "loss", "discriminator")[976] is None
    assert value_at(found, "loss", "generator")[976] is None
    assert value_at(found, "gradients", "discriminator")[976] is None
    assert found.scores[0].values == (9.0, None)
    json.loads(page_of([run]).model_dump_json(), parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is damaged"),
        (b"GIF89a", "it is damaged"),
        (a_bomb(9_000), "9,000 × 9,000 pixels are more than is safe"),
        (a_bomb(11_000), "11,000 × 11,000 pixels are more than is safe"),
        (a_bomb(60_000), "more pixels than are safe"),
        (None, "it is not there"),
    ],
    ids=["cut short", "another format", "large", "larger", "a bomb", "a folder"],
)
def test_a_picture_that_cannot_be_shown_is_said_and_keeps_its_place(run, content, why):
    grid = run.files.sample(640)
    whole = grid.read_bytes()
    grid.unlink()
    if content is None:
        grid.mkdir()
    else:
        grid.write_bytes(content or whole[: len(whole) // 2])
    found = page(run)
    assert [bool(frame.picture) for frame in found.frames] == [True, False, True]
    assert any("000000640.png" in sentence and why in sentence for sentence in found.missing)


def test_names_and_texts_are_never_run_and_never_obeyed_by_a_terminal(run):
    hostile = run.path.with_name("a<b>&\"'" + os.fsdecode(b"\xe9"))
    run.path.rename(hostile)
    run = sg.Run(hostile)
    info = json.loads(run.files.run_json.read_text())
    info["data"] |= {"source": f"/{HOSTILE}", "class_names": [HOSTILE]}
    run.files.run_json.write_text(json.dumps(info | {"recipe": HOSTILE, "versions": {HOSTILE: HOSTILE}}))
    append(run.files.notes, Note(step=60, images=960, text=HOSTILE, author="user"))
    append(run.files.findings, Finding(step=60, images=960, rule=HOSTILE, severity="info", evidence=HOSTILE, remedy=""))
    append(run.files.scores, DatedScore(step=60, images=960, metric=HOSTILE, value=1.0, protocol=HOSTILE))
    clean = re.findall("<script", sg.write_report([run]).read_text())
    html = sg.write_report(run).read_text(encoding="utf-8")
    assert "alert(1)" in html, "it is shown"
    assert "<script>alert" not in html
    assert len(re.findall("<script", html)) == len(clean)
    assert not re.search("[\u2028\x1b\u202e\ud800-\udfff]", html)


def test_odd_files_among_the_samples_are_no_frames(run):
    for name in ("²", "notes", "9" * 30, "random-000000320"):
        noise(8).save(run.files.samples / f"{name}.png")
    assert [frame.images for frame in page(run).frames] == [320, 640, 960]


def test_the_montage_is_shown_while_the_data_set_is_the_same(run, tmp_path):
    made = tmp_path / "set"
    made.mkdir()
    noise(32).save(made / "montage.png")
    (made / "dataset.json").write_text('{"digest": "d1"}')
    info = json.loads(run.files.run_json.read_text())
    info["data"]["source"] = str(made)
    run.files.run_json.write_text(json.dumps(info))
    assert page(run).montage
    (made / "dataset.json").write_text('{"digest": "another"}')
    found = page(run)
    assert not found.montage
    assert any("data set is not there any more, or is another" in sentence for sentence in found.missing)


def test_what_a_run_was_set_back_from_is_history_and_what_cannot_be_undone_is_not_offered(run):
    grave = {"step": 15, "images": 240, "rule": "y", "says": "alike", "severity": "serious", "evidence": "e"}
    append(run.files.findings, Finding(**grave, remedy="wait"))
    back = {"rule": "care-set-back", "severity": "info", "evidence": "e", "back_to": 160}
    append(run.files.findings, Finding(step=18, images=288, remedy="--from-checkpoint images-000000160", **back))
    found, act, still = page(run).marks
    assert (found.says, found.severity, found.remedy) == ("alike; the run was set back from it", "info", "")
    assert (act.remedy, still.severity) == ("", "warning")


def test_a_text_of_several_lines_keeps_them(run):
    info = INFO | {"basis": {"about": "A recipe.\n\nFor faces\nand hands."}}
    run.files.run_json.write_text(json.dumps(info))
    append(run.files.notes, Note(step=60, images=960, text="one\ntwo", author="user"))
    html = sg.write_report(run).read_text()
    assert "<p>A recipe.</p>" in html
    assert "<p>For faces and hands.</p>" in html
    assert "<p>one\ntwo</p>" in html


def test_runs_of_one_name_are_told_apart_by_where_they_lie(run, tmp_path):
    other = sg.Run(shutil.copytree(run.path, tmp_path / "other" / "run"))
    assert [one.name for one in page_of([run, other]).runs] == [f"{tmp_path.name}/run", "other/run"]
    assert [one.name for one in page_of([run, run]).runs] == ["run", "run"]


def test_runs_are_laid_side_by_side_with_the_settings_in_which_they_differ(run, tmp_path):
    other = sg.Run(shutil.copytree(run.path, tmp_path / "other"))
    other.files.run_json.write_text(json.dumps(INFO | {"config": INFO["config"] | {"batch": 32}}))
    found = page_of([run, other])
    assert [one.name for one in found.runs] == ["run", "other"]
    assert [(one.setting, one.values) for one in found.differences] == [("batch", ("16", "32"))]
    assert page_of([run]).differences == ()


def test_runs_of_one_name_are_told_apart_by_the_folders_they_lie_in(run, tmp_path):
    other = sg.Run(shutil.copytree(run.path, tmp_path / "more" / "run"))
    assert [one.name for one in page_of([run, other]).runs] == [f"{tmp_path.name}/run", "more/run"]
    assert [one.name for one in page_of([run, run]).runs] == ["run", "run"]


def test_what_a_run_was_set_back_from_is_past(run):
    back = {"rule": "care-set-back", "severity": "info", "evidence": "e", "remedy": "r", "back_to": 160}
    append(run.files.findings, Finding(step=30, images=480, **back))
    append(run.files.findings, Finding(step=40, images=640, rule="y", severity="info", evidence="e", remedy="r"))
    assert [(mark.rule, mark.past) for mark in page(run).marks] == [("x", True), ("care-set-back", False), ("y", False)]


def test_what_is_no_run_is_refused_before_anything_is_written(run, tmp_path):
    with pytest.raises(sg.DataError, match="is not the folder of a run"):
        sg.write_report([run, tmp_path], tmp_path / "report.html")
    with pytest.raises(sg.ConfigError, match="at least one run"):
        sg.write_report([], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
    other = tmp_path / "mine.txt"
    other.write_text("mine")
    with pytest.raises(sg.ConfigError, match=r"mine.txt: a report is written as FILE.html"):
        sg.write_report(run, other)
    assert other.read_text() == "mine"
    with pytest.raises(sg.DataError, match="not the folder of a run: there is no such folder"):
        sg.write_report(tmp_path / "nowhere", tmp_path / "report.html")


def test_a_report_lies_in_its_run_and_that_of_several_where_one_is(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sg.write_report("run") == Path("run/report.html")
    assert sg.write_report(["run", "run"]) == Path("report.html")
    assert sg.write_report("run", "mine.html").read_text().startswith("<!")


DAMAGED = ("run.json", "log.jsonl", "signals.jsonl", "findings.jsonl", "scores.jsonl", "notes.jsonl", "inputs.png",
           "samples/000000640.png", "checkpoints/best")  # fmt: skip
PIECES = st.sampled_from([b"", b"\x00", b"\xff\xfe", b"NaN", b"1e999", b'"', b"{", b"[" * 5000, b"null", b"-1", b"\n"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(DAMAGED), st.integers(0, 4000), st.integers(0, 200), PIECES)
def test_whatever_is_damaged_a_report_is_written_or_the_run_is_refused(run, name, start, length, piece):
    file = run.path / name
    before = file.read_bytes() if file.exists() else None
    file.parent.mkdir(exist_ok=True)
    whole = before or b"images-000000640\n"
    start %= len(whole) + 1
    file.write_bytes(whole[:start] + piece + whole[start + length :])
    try:
        refused = pytest.raises(sg.DataError, match=r"run\.json") if not whole_info(file) else nullcontext()
        with refused:
            assert sg.write_report(run).read_text(encoding="utf-8").rstrip().endswith("</html>")
    finally:
        file.unlink() if before is None else file.write_bytes(before)


def whole_info(file: Path) -> bool:
    """Whether a file is that of another kind, or can be read."""
    with suppress(sg.DataError):
        return file.name != "run.json" or bool(sg.Run(file.parent).info())
    return False
