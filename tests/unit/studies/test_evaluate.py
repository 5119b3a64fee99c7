from __future__ import annotations

import json
import math

import pytest
import torch
from PIL import Image

import steadygan as sg
from steadygan.cli.main import main
from steadygan.data import PrepareSettings, prepare
from steadygan.networks import SNGAN
from steadygan.recipes import configure
from steadygan.recipes.start import placed
from steadygan.records import DatedScore
from steadygan.scoring import Judge
from steadygan.scoring.pick import FrechetToTraining
from steadygan.studies import subjects
from steadygan.training import scores
from steadygan.training.console import Silent
from steadygan.training.run import train
from steadygan.training.seeds import fixed_latents
from tiny import TINY, draw

FEW = {"metrics": ["swd", "fd", "memorised"], "repeats": 6}


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    """240 squares as a data set, 24 of them held out."""
    folder = tmp_path_factory.mktemp("evaluate")
    return prepare(draw(folder / "squares", 240), folder / "set", PrepareSettings(size=16), workers=0).path


@pytest.fixture(scope="module")
def finished(squares, tmp_path_factory):
    """A run on 216 of 240 squares; 24 are held out."""
    settings = {**TINY, "size": 16, "budget": {"steps": 12}}
    return train(configure(squares, settings=settings), tmp_path_factory.mktemp("evaluated") / "run", Silent())


def call(*arguments) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


def fakes(count, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 16, 16), generator=rng, dtype=torch.uint8)


def test_a_run_is_scored_by_the_images_it_held_out_and_remembers_the_scores(finished):
    found = sg.evaluate(finished.path, **FEW, checkpoint="latest")
    assert (found.split, found.count) == ("held-out", 24)
    assert [score.metric for score in found.scores] == ["swd", "fd", "memorised"]
    for score in found.scores:
        assert score.low <= score.value <= score.high
    assert found["fd"].low < found["fd"].value
    kept = [score for score in finished.scores() if score.protocol == found["fd"].protocol]
    assert [(score.value, score.floor, score.low) for score in kept if score.low] == [
        (found["fd"].value, found["fd"].floor, found["fd"].low)
    ]
    assert kept[0].images == 96
    sg.evaluate(finished.path, **FEW, checkpoint="latest")
    assert sum(score.value == found["fd"].value for score in finished.scores()) == 1
    with Image.open(finished.files.nearest) as sheet:
        assert sheet.width > 12 * 16


def test_other_features_leave_the_sheet_of_the_usual_ones_alone(finished, tmp_path):
    rows = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten())
    torch.export.save(torch.export.export(rows, (torch.rand(4, 3, 16, 16),)), tmp_path / "net.pt2")
    finished.files.nearest.write_bytes(b"the usual ones")
    own = {"kind": "exported", "path": tmp_path / "net.pt2", "size": 16}
    found = sg.evaluate(finished.path, metrics=["memorised"], features=own, repeats=0)
    assert found.nearest == finished.path / "nearest-exported.png"
    assert found.nearest.stat().st_size > 1000
    assert finished.files.nearest.read_bytes() == b"the usual ones"


def test_an_evaluation_looks_at_other_pictures_than_the_picking(finished, monkeypatch):
    places = []
    monkeypatch.setattr(subjects, "fixed_latents", lambda *a: places.append(a[3:]) or fixed_latents(*a))
    sg.evaluate(finished.path, metrics=["fd"], repeats=0)
    assert places == [("evaluate",)]


def test_a_conditional_generator_is_asked_for_the_classes_of_the_reals(tmp_path):
    dataset = prepare("builtin:glyphs", tmp_path / "glyphs", PrepareSettings(size=16, limit=300), workers=0)
    networks = SNGAN(width=4, latent_dim=8)
    model = sg.TrainedGenerator(networks.build(dataset.spec).generator, {}, dataset.spec, 8, {})
    asked = []
    model.generator.register_forward_pre_hook(lambda _, given: asked.append(given[1]))
    reference = sg.choose_reference(dataset, count=30)
    list(subjects.Generated(model, torch.device("cpu")).pictures(reference, 0))
    assert torch.cat(asked).tolist() == dataset.labels[reference.real].tolist()
    assert len(set(torch.cat(asked).tolist())) > 5


def test_scores_of_a_run_are_the_same_again_and_others_with_another_seed(finished):
    first, again, other = (sg.evaluate(finished.path, metrics=["fd"], repeats=0, seed=seed)["fd"] for seed in (3, 3, 4))
    assert first.value == again.value
    assert first.value != other.value
    assert first.protocol == again.protocol != other.protocol


def test_an_exported_generator_scores_as_its_run_does(finished, squares, tmp_path):
    sg.load(finished.path, "latest").save(tmp_path / "g.safetensors")
    settings = {"metrics": ["fd"], "repeats": 0}
    own = sg.evaluate(finished.path, **settings, checkpoint="latest")["fd"]
    assert sg.evaluate(tmp_path / "g.safetensors", squares, **settings)["fd"].value == pytest.approx(own.value)


def test_a_folder_of_other_squares_is_near_and_noise_is_far(squares, tmp_path):
    alike = sg.evaluate(draw(tmp_path / "alike", 60, seed=1), squares, size=16, **FEW)
    noisy = sg.evaluate(fakes, squares, size=16, **FEW)
    assert alike["fd"].value < 2 * alike["fd"].floor
    assert noisy["fd"].value > 3 * noisy["fd"].floor
    assert alike["swd"].value < noisy["swd"].value


def test_a_copier_is_caught(squares):
    dataset = sg.open_dataset(squares)
    copies = torch.from_numpy(dataset.images[dataset.training]).permute(0, 3, 1, 2)
    assert sg.evaluate(copies, dataset, metrics=["memorised"])["memorised"].value == 1


@pytest.mark.parametrize(
    "made",
    [
        lambda: fakes(24),
        lambda: fakes(24).numpy(),
        lambda: (fakes(24).float() / 127.5 - 1).split(5),
        lambda: lambda count: iter(fakes(count).split(7)),
    ],
    ids=["tensor", "array", "floats", "function"],
)
def test_pictures_may_come_from_any_code(squares, made):
    value = sg.evaluate(made(), squares, size=16, metrics=["fd"], repeats=0)["fd"].value
    assert value == pytest.approx(
        sg.evaluate(fakes(24), squares, size=16, metrics=["fd"], repeats=0)["fd"].value, rel=1e-5
    )


@pytest.mark.parametrize(
    "made",
    [
        fakes(24).float(),
        torch.full((24, 3, 16, 16), math.nan),
        fakes(24)[0],
        [fakes(24).int()],
        lambda count: None,
        [None],
        torch.rand(24, 3, 16, 16),
        fakes(24)[:0],
    ],
)
def test_what_are_no_pictures_is_refused(squares, made):
    with pytest.raises(sg.DataError, match=r"pictures"):
        sg.evaluate(made, squares, size=16, metrics=["fd"])


def test_bad_pictures_are_no_copies(squares):
    flat = torch.zeros(24, 3, 16, 16, dtype=torch.uint8)
    assert sg.evaluate(fakes(24), squares, metrics=["memorised"])["memorised"].value == 0
    assert sg.evaluate(flat, squares, metrics=["memorised"])["memorised"].value < 0.1


def test_copies_are_looked_for_only_beside_held_out_images(squares):
    found = sg.evaluate(fakes(60), squares, metrics=["fd", "memorised"], split="training", repeats=0)
    assert [score.metric for score in found.scores] == ["fd"]
    assert any("memorised is left out" in remark for remark in found.remarks)


@pytest.mark.parametrize(("metrics", "told"), [(["fd", "swd"], True), (["swd"], False)])
def test_what_few_pictures_do_to_fd_is_remarked_on_beside_it_alone(squares, metrics, told):
    found = sg.evaluate(fakes(60), squares, metrics=metrics, repeats=0)
    assert any("fd is too high" in remark for remark in found.remarks) == told


def test_fewer_pictures_than_asked_for_are_remarked_on(squares):
    found = sg.evaluate(fakes(60), squares, metrics=["fd"], count=50, repeats=0)
    assert found.count == 24
    assert any("24 pictures of each kind, not 50" in remark for remark in found.remarks)


def test_an_exported_generator_knows_what_it_was_trained_on(finished, tmp_path):
    sg.load(finished.path, "latest").save(tmp_path / "g.safetensors")
    others = draw(tmp_path / "others", 200, seed=5)
    found = sg.evaluate(tmp_path / "g.safetensors", others, metrics=["fd"], repeats=0)
    assert any("not the images that it was trained on" in remark for remark in found.remarks)


def test_other_images_than_those_of_the_run_are_remarked_on(finished, tmp_path):
    others = draw(tmp_path / "others", 200, seed=5)
    found = sg.evaluate(finished.path, others, metrics=["fd"], repeats=0)
    assert found.data == str(others)
    assert any("not the images that it was trained on" in remark for remark in found.remarks)


@pytest.mark.slow
def test_changed_images_of_a_run_are_refused_unless_named(squares, tmp_path):
    folder = draw(tmp_path / "squares", 200)
    settings = {**TINY, "size": 16, "budget": {"steps": 2}}
    done = train(configure(folder, settings=settings), tmp_path / "run", Silent())
    (folder / "0000.png").unlink()
    with pytest.raises(sg.DataError, match="not those this run was trained on"):
        sg.evaluate(done.path)


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(sg.ConfigError, match=r"no run, file or folder .*nowhere"):
        sg.evaluate(tmp_path / "nowhere")


def test_without_reals_it_is_asked_for_them(tmp_path):
    with pytest.raises(sg.ConfigError, match="evaluate PICTURES REALS"):
        sg.evaluate(tmp_path)


def test_wrong_settings_are_named():
    with pytest.raises(sg.ConfigError, match=r"metric 'fod' .*did you mean fd"):
        sg.evaluate("x", "y", metrics=["fod"])
    with pytest.raises(sg.ConfigError, match=r"repeat: no such setting.*repeats"):
        sg.evaluate("x", "y", repeat=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metrics", ""], "no metric ''"),
        (["--device", "gpu"], "device"),
        (["--nearest", "three"], "FILE.png"),
        (["--nearest", "three.png", "--metrics", "fd"], "memorised"),
        (["--size", "64"], "makes pictures of 16 pixels"),
        (["--split", "test"], "split"),
        (["--features", "inceptoin"], "inception"),
        (["--count", "3"], "at least 16"),
    ],
)
def test_a_mistake_is_one_line(finished, arguments, message, capsys):
    assert call("evaluate", finished.path, *arguments) in (2, 4)
    said = capsys.readouterr().err.splitlines()
    assert message in said[-1]
    assert "bug" not in said[-1]


def test_the_command_prints_a_table_and_writes_json(finished, tmp_path, capsys):
    assert call("evaluate", finished.path, "--metrics", "swd,fd", "--json", tmp_path / "s.json") == 0
    shown = capsys.readouterr().out
    assert "24 pictures of each kind" in shown
    assert "swd" in shown
    found = json.loads((tmp_path / "s.json").read_text())
    assert {"metric", "value", "floor", "low", "high", "protocol"} <= set(found["scores"][0])
    assert call("evaluate", finished.path, "--metrics", "swd", "--json") == 0
    assert json.loads(capsys.readouterr().out)["scores"][0]["metric"] == "swd"


def test_a_function_of_a_file_can_be_scored(squares, tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text("import torch\ndef noise(count):\n    return torch.rand(count, 3, 16, 16) * 2 - 1\n")
    assert call("evaluate", f"{file}:noise", squares, "--size", 16, "--metrics", "fd", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["scores"][0]["value"] > 1
    assert call("evaluate", f"{file}:nose", squares) == 2
    assert "has no function nose" in capsys.readouterr().err


def test_metrics_are_explained_without_anything_to_score(capsys):
    assert call("evaluate", "--list") == 0
    shown = capsys.readouterr().out
    for name in ("swd", "fd", "memorised", "is"):
        assert name in shown


def test_training_scores_against_held_out_images_and_picks_by_training_images(finished):
    scores = finished.scores()
    picking = [score for score in scores if score.metric == "fd-training"]
    assert len(picking) == 3
    best = finished.files.pointed(finished.files.best)
    assert best.name == f"images-{min(picking, key=lambda score: score.value).images:09d}"
    reported = [score for score in scores if score.images == 96 and "held-out" in score.protocol]
    assert {"fd", "kid"} <= {score.metric for score in reported}
    assert all(score.floor is not None for score in reported)


@pytest.mark.slow
def test_scores_take_no_more_time_than_they_may_but_for_the_last(squares, tmp_path):
    settings = {**TINY, "size": 16, "budget": {"steps": 12}, "scores": {"most_time": 0}}
    done = train(configure(squares, settings=settings), tmp_path / "run", Silent())
    assert {score.images for score in done.scores() if score.metric == "kid"} == {96}


@pytest.mark.slow
def test_scores_that_go_wrong_do_not_end_a_run(squares, tmp_path, monkeypatch):
    def fail(*_):
        raise sg.DataError("no numbers today")

    monkeypatch.setattr(Judge, "scores", fail)
    settings = {**TINY, "size": 16, "budget": {"steps": 12}}
    done = train(configure(squares, settings=settings), tmp_path / "run", Silent())
    assert done.log()[-1].images == 96
    assert sum("no numbers today" in note.text for note in done.notes()) == 1


def test_scores_that_cannot_be_had_are_refused_before_anything_is_written(squares, tmp_path):
    settings = {**TINY, "size": 16, "budget": {"steps": 4}, "scores": {"metrics": ["is"]}}
    with pytest.raises(sg.ConfigError, match="--features inception"):
        train(configure(squares, settings=settings), tmp_path / "run", Silent())
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_picking_looks_at_training_images_and_reporting_at_other_pictures(squares, tmp_path, monkeypatch):
    places, picked = [], []
    monkeypatch.setattr(scores, "fixed_latents", lambda *a: places.append(a[3]) or fixed_latents(*a))
    monkeypatch.setattr(scores, "FrechetToTraining", lambda *a: picked.append(a[0]) or FrechetToTraining(*a))
    settings = {**TINY, "size": 16, "budget": {"steps": 4}}
    train(configure(squares, settings=settings), tmp_path / "run", Silent())
    assert {"scores", "held-out scores"} <= set(places)
    dataset = sg.open_dataset(squares)
    held_out = {image.tobytes() for image in dataset.images[dataset.held_out]}
    assert len(picked[0]) == len(dataset.training)
    assert not held_out & {image.tobytes() for image in picked[0]}


@pytest.mark.slow
def test_runs_of_different_seeds_are_scored_by_the_same_reals(squares, tmp_path):
    runs = []
    for seed in (0, 1):
        settings = {**TINY, "size": 16, "budget": {"steps": 4}, "seed": seed}
        runs.append(train(configure(squares, settings=settings), tmp_path / f"run{seed}", Silent()).path)
    assert sg.compare(runs).refused == []


@pytest.mark.slow
def test_scores_can_be_left_out(squares, tmp_path):
    settings = {**TINY, "size": 16, "budget": {"steps": 4}, "scores": {"metrics": []}}
    done = train(configure(squares, settings=settings), tmp_path / "run", Silent())
    assert {score.metric for score in done.scores()} == {"fd-training"}


@pytest.mark.slow
def test_compare_refuses_scores_of_different_protocols(finished, squares, tmp_path, capsys):
    settings = {**TINY, "size": 16, "budget": {"steps": 12}, "scores": {"count": 20}}
    other = train(configure(squares, settings=settings), tmp_path / "run", Silent())
    found = sg.compare([finished.path, other.path])
    about_kid = next(sentence for sentence in found.refused if "kid" in sentence)
    assert about_kid.startswith("not compared, since measured in different ways: ")
    assert f"{finished.path}: n=24; {other.path}: n=20" in about_kid
    assert not any(row.name.startswith("kid") for row in found.results)
    assert any(row.name.startswith("fd-training") for row in found.results)
    assert call("compare", finished.path, other.path) == 0
    assert "not compared" in capsys.readouterr().out


def test_compare_shows_the_score_of_the_checkpoint_that_another_score_picked(finished):
    found = sg.compare([finished.path])
    picked = int(finished.files.pointed(finished.files.best).name.removeprefix("images-"))
    rows = {row.name: row.values[0] for row in found.results}
    shown = next(value for name, value in rows.items() if name.startswith("  at images, fd-training"))
    assert shown == picked


def test_a_score_from_before_floors_is_read(tmp_path):
    old = DatedScore.model_validate({"step": 1, "images": 2, "metric": "swd", "value": 0.5, "protocol": "swd-1"})
    assert (old.floor, old.low, old.high) == (None, None, None)


def test_scores_print_as_a_table_and_show_themselves_with_floor_interval_and_protocol():
    known = {"metric": "swd<", "value": 0.25, "floor": 0.125, "low": 0.2, "high": 0.3, "unit": "dB", "says": "how far"}
    scores = [sg.Score(**known, protocol="swd n=9 #abcd1234"), sg.Score(metric="own", value=float("nan"), protocol="p")]
    found = sg.Evaluation(subject="<b>run", data="a/<b>", split="held-out", count=9, remarks=["few <i>"], scores=scores)
    said, head, swd, own, remark = str(found).splitlines()
    assert said == "9 pictures of each kind; held-out images of a/<b>"
    assert head.split("  ")[0] == "metric"
    assert swd.split() == ["swd<", "0.25", "dB", "0.2", "to", "0.3", "0.125", "dB", "lower"]
    assert own.split() == ["own", "nan", "lower"]
    assert remark == "few <i>"
    html = found._repr_html_()
    words = ("&lt;b&gt;run", "swd&lt;", "0.25 dB", "0.2 to 0.3", "0.125 dB", "#abcd1234", "how far", "few &lt;i&gt;")
    assert [word for word in words if word not in html] == []
    assert "9 pictures of each kind; held-out images" in html
    assert "<b>" not in html


def test_a_run_is_taken_wherever_its_path_is(finished):
    assert sg.load(finished).about["run"] == finished.path.name
    assert sg.diagnose(finished) == sg.diagnose(finished.path)
    assert sg.compare([finished, finished]) == sg.compare([finished.path, str(finished.path)])
    assert placed(start=finished) == placed(start=finished.path)
    by_run, by_path = (sg.evaluate(it, metrics="colour", repeats=0) for it in (finished, finished.path))
    assert by_run == by_path
