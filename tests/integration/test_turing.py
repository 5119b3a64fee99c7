"""`steadygan turing` on a real run: what is drawn, that nothing in the folder tells, and what the command says."""

from __future__ import annotations

import io
import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image

import steadygan as sg
from judged import take
from steadygan.cli.main import main
from steadygan.errors import ConfigError, DataError, StorageError
from steadygan.recipes import configure
from steadygan.studies import turing
from steadygan.studies.evaluate import open_reals
from steadygan.studies.turing import _png, make_turing_test
from steadygan.training.console import Silent
from steadygan.training.run import train
from steadygan.training.seeds import fixed_latents
from steadygan.turing.folder import TuringFolder, turing_folders
from steadygan.turing.outcome import outcome
from tiny import TINY, draw


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on 120 drawings, 48 of them held out."""
    folder = tmp_path_factory.mktemp("turing")
    settings = {**TINY, "size": 16, "budget": {"steps": 2}, "data": {"held_out": 0.4}}
    return train(configure(draw(folder / "squares", 120), settings=settings), folder / "r", Silent())


def call(*arguments) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


def pixels(folder, name):
    return np.asarray(Image.open(folder.picture(name)))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "number", "questions"), [("pairs", 12, 12), ("sheets", 2, 18), ("letters", 1, 1)])
def test_reals_are_held_out_images_to_the_bit_and_fakes_those_of_their_latents(run, kind, number, questions):
    folder = make_turing_test(run, kind=kind, screens=number, count=9, seed=5)
    test, dataset = folder.test, held_out_of(run)
    assert len(test.questions) == questions
    for place, name in test.reals.items():
        assert np.array_equal(pixels(folder, name), dataset[place])
    model = sg.load(run.path)
    latents = fixed_latents(list(test.fakes), model.latent, 5, "turing")
    made = model.pictures(latents).permute(0, 2, 3, 1).numpy().astype(int)
    for name, image in zip(test.fakes.values(), made, strict=True):
        assert np.abs(pixels(folder, name).astype(int) - image).max() <= 1
    assert test.checkpoint == run.checkpoint("best").name
    used = Counter(name for question in test.questions for name in test.shown(question))
    assert set(used) == set(test.digests)
    assert set(used.values()) == {1}


def held_out_of(run):
    dataset, _ = open_reals(run.path, None, Silent())
    return dataset.images[dataset.held_out]


def test_nothing_about_a_file_tells_what_it_shows(run):
    folder = make_turing_test(run, screens=12, seed=1)
    test, seen = folder.test, {}
    files = sorted(folder.path.glob("*.png"))
    assert {file.stem for file in files} == set(test.digests)
    for truth, names in (("real", test.reals), ("fake", test.fakes)):
        there = [folder.picture(name).stat() for name in names.values()]
        with Image.open(folder.picture(next(iter(names.values())))) as picture:
            seen[truth] = (picture.format, picture.mode, picture.size, picture.info)
        seen[truth] += ({(one.st_size, one.st_mtime, one.st_mode) for one in there},)
    assert seen["real"] == seen["fake"]
    assert len(seen["real"][-1]) == 1
    # the order of creation is that of the names, which are drawn by chance
    by_inode = sorted(files, key=lambda file: file.stat().st_ino)
    ranks = [place for place, file in enumerate(by_inode) if file.stem in test.reals.values()]
    assert ranks != list(range(12))
    assert ranks != list(range(12, 24))


def test_the_seed_draws_the_same_questions_under_other_names_and_none_draws_new_ones(run):
    one, same = (make_turing_test(run, screens=10, seed=3).test for _ in range(2))
    assert one.questions == same.questions
    assert set(one.digests) & set(same.digests) == set()
    assert sorted(one.digests.values()) == sorted(same.digests.values())
    assert make_turing_test(run, screens=10).test.questions != make_turing_test(run, screens=10).test.questions


@pytest.mark.slow
def test_of_labelled_images_a_pair_is_of_one_class(tmp_path):
    for seed, label in enumerate(("cats", "dogs")):
        draw(tmp_path / "animals" / label, 40, seed=seed)
    settings = {**TINY, "networks": {"width": 4, "latent_dim": 8}, "size": 32, "budget": {"steps": 2}}
    settings |= {"data": {"held_out": 0.25}}
    run = train(configure(tmp_path / "animals", recipe="sngan", settings=settings), tmp_path / "r", Silent())
    test = make_turing_test(run, screens=10, seed=2).test
    model = sg.load(run.path)
    assert model.classes == 2
    dataset, _ = open_reals(run.path, None, Silent())
    folder = TuringFolder(run.path / "turing" / "pairs-01")
    for question in test.questions:
        label = int(dataset.labels[dataset.held_out[question.real]])
        latent = fixed_latents([question.fake], model.latent, 2, "turing")
        [made, other] = (
            model.pictures(latent, model.labels([0], one)[0])[0].permute(1, 2, 0).numpy().astype(int)
            for one in (label, 1 - label)
        )
        shown = pixels(folder, test.fakes[question.fake]).astype(int)
        assert np.abs(shown - made).max() <= 1 < np.abs(shown - other).max()


def test_other_reals_are_brought_to_the_generators_form(run, tmp_path, capsys):
    folder = make_turing_test(run, draw(tmp_path / "others", 60, size=50, seed=9), screens=3)
    test = folder.test
    assert (test.size, test.channels) == (16, 3)
    assert {pixels(folder, name).shape for name in test.digests} == {(16, 16, 3)}
    assert test.data_digest != run.info().data.digest
    take(folder, "Ada")
    assert outcome(folder).sentences[-1].startswith("These are not the images that it was trained on")


def test_the_command_makes_a_test_and_says_where_and_what_its_answers_show(run, capsys):
    assert call("turing", run.path, "--pairs", 4, "--no-open", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["kind"], made["questions"], made["screens"]) == ("pairs", 4, 4)
    folder = TuringFolder(run.path / "turing" / made["folder"].rsplit("/", 1)[-1])
    take(folder, "Ada", wrong=(2,))
    assert call("turing", run.path, "--result") == 0
    said = capsys.readouterr().out
    assert "3 of 4 answers are right" in said
    assert "Ada: 3 of 4 right" in said
    assert call("turing", run.path, "--result", "--json") == 0
    [found] = [one for one in json.loads(capsys.readouterr().out) if one["name"] == folder.path.name]
    assert found["result"]["right"] == 3
    assert found["result"]["p_value"] == pytest.approx(0.625)


def test_without_no_open_the_studio_opens_at_the_test(run, monkeypatch, capsys):
    pytest.importorskip("starlette")
    opened = []
    monkeypatch.setattr("steadygan.web.serving.serve", lambda *words: opened.append(words))
    assert call("turing", run.path, "--letters", 1) == 0
    [(folder, _, share, open_it, _, start)] = opened
    assert (folder.resolve(), share, open_it) == (run.path.resolve(), False, True)
    assert start.endswith(capsys.readouterr().out.strip().rpartition("/")[2])


def test_tests_made_at_once_get_folders_of_their_own_and_none_is_seen_before_it_is_whole(run, monkeypatch):
    before = turing_folders(run.path)
    real, seen = turing.write_test, []

    def write(folder, test):
        if not seen:  # while one is being written, another begins
            seen.append(folder)
            make_turing_test(run, screens=2)
            real(folder, test)
            assert len(turing_folders(run.path)) == len(before) + 1
            raise OSError(28, "disk full", str(folder))
        real(folder, test)

    monkeypatch.setattr(turing, "write_test", write)
    with pytest.raises(StorageError, match="the disk is full"):
        make_turing_test(run, screens=2)
    [made] = [folder for folder in turing_folders(run.path) if folder not in before]
    assert len(made.test.questions) == 2
    assert len(list((run.path / "turing").iterdir())) == len(before) + 1


@pytest.mark.parametrize(
    ("settings", "problem", "said"),
    [
        ({"screens": 900}, DataError, "needs 900 real pictures and there are"),
        ({"kind": "letters", "screens": 9}, DataError, "ask fewer questions"),
        ({"kind": "circles"}, ConfigError, "circles"),
        ({"screens": 0}, ConfigError, "screens: "),
        ({"checkpoint": "images-9"}, ConfigError, "no checkpoint 'images-9'"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_line_and_leaves_no_folder(run, settings, problem, said):
    before = sorted((run.path / "turing").glob("*"))
    with pytest.raises(problem, match=said):
        make_turing_test(run, **settings)
    assert sorted((run.path / "turing").glob("*")) == before


def test_the_command_refuses_two_kinds_and_results_of_nothing(run, tmp_path, capsys):
    assert call("turing", run.path, "--pairs", 2, "--letters", 2) == 2
    assert "make one at a time" in capsys.readouterr().err
    assert call("turing", tmp_path / "none", "--result") == 4


def test_all_files_of_a_size_are_uncompressed():
    noise, flat = np.random.default_rng(0).integers(0, 256, (40, 40, 4), np.uint8), np.zeros((40, 40, 4), np.uint8)
    for channels in (1, 3, 4):
        files = [_png(image[..., :channels]) for image in (noise, flat)]
        assert len(files[0]) == len(files[1])
        shown = np.asarray(Image.open(io.BytesIO(files[0]))).reshape(40, 40, channels)
        assert np.array_equal(shown, noise[..., :channels])
