"""A whole run through the Python door: what it writes, how it goes on, how it stops."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

import steadygan as sg
from quiet import Quiet
from steadygan import records
from steadygan.objectives.losses import NonSaturating
from steadygan.recipes import configure
from steadygan.records import close_to_best
from steadygan.schedule import Cosine
from steadygan.training.run import train
from steadygan.training.sampling import generate, rows
from steadygan.training.seeds import fixed_latents
from steadygan.visual.points import picture
from tiny import TINY, WATCHED, draw, fingerprint


def run(pictures, out, console=None, budget=None, **settings):
    config = configure(pictures, "dcgan", settings={**TINY, "size": 16, "budget": budget or {"steps": 20}, **settings})
    return train(config, out, console or Quiet())


@pytest.fixture(scope="module")
def finished(pictures, tmp_path_factory, unabridged):
    with unabridged():
        return run(pictures, tmp_path_factory.mktemp("runs") / "a", doctor=WATCHED["doctor"])


def test_a_run_folder_holds_everything_the_contract_names(finished):
    names = {path.name for path in finished.path.iterdir()}
    assert names == {
        "run.json",
        "log.jsonl",
        "signals.jsonl",
        "findings.jsonl",
        "scores.jsonl",
        "notes.jsonl",
        "inputs.png",
        "samples",
        "progress.gif",
        "curves.png",
        "report.html",
        "checkpoints",
    }
    samples = {path.name for path in finished.files.samples.iterdir()}
    assert samples == {f"{p}000000{n}.png" for p in ("", "random-") for n in ("064", "128", "160")}
    checkpoints = {path.name for path in finished.files.checkpoints.iterdir()}
    assert {"latest", "best", "images-000000128", "images-000000160"} <= checkpoints
    assert len(checkpoints) <= 5
    folder = finished.files.pointed(finished.files.latest)
    assert {path.name for path in folder.iterdir()} == {
        "generator.safetensors",
        "average.safetensors",
        "discriminator.safetensors",
        "state.safetensors",
        "meta.json",
    }


def test_run_json_says_what_the_contract_promises(finished):
    info = finished.info()
    assert (info.seed, info.recipe) == (0, "dcgan")
    assert (info.config["batch"], info.config["size"]) == (8, 16)
    generator = sg.DCGAN(**{k: v for k, v in info.config["networks"].items() if k != "kind"})
    pair = generator.build(sg.ImageSpec(size=16, channels=3))
    assert info.parameters["generator"] == sum(p.numel() for p in pair.generator.parameters())
    assert len(info.data.digest) == 64
    assert info.versions["torch"] == torch.__version__
    assert info.device.device == "cpu"


def test_ticks_have_losses_rates_and_the_right_counts(finished):
    log = finished.log()
    assert [tick.images for tick in log] == [16 * n for n in range(1, 11)]
    assert [tick.step for tick in log] == [2 * n for n in range(1, 11)]
    for tick in log:
        assert tick.loss_d > 0
        assert tick.grad_norm_g > 0
        assert tick.images_per_second > 0
        assert 0 <= tick.accuracy_real <= 1


def test_pictures_open_and_show_what_they_should(finished):
    with Image.open(finished.files.inputs) as inputs:
        assert np.asarray(inputs).std() > 20
    with Image.open(finished.files.progress) as gif:
        assert gif.n_frames == 3
    with Image.open(finished.files.curves) as curves:
        assert curves.size[0] >= 800
    first, last = (np.asarray(Image.open(file)) for file in finished.files.fixed_samples()[:: len("ab")])
    assert first.shape == last.shape
    assert not np.array_equal(first, last)


@pytest.mark.slow
def test_same_seed_gives_the_same_weights_and_another_seed_others(finished, pictures, tmp_path):
    again, other = run(pictures, tmp_path / "again"), run(pictures, tmp_path / "other", seed=1)
    prints = [fingerprint(r.files.pointed(r.files.latest)) for r in (finished, again, other)]
    assert prints[0] == prints[1]
    assert prints[0]["generator.safetensors"] != prints[2]["generator.safetensors"]


def test_the_last_grid_shows_the_very_generator_that_was_saved_beside_it(finished):
    model, count = sg.load(finished.path, "latest"), finished.info().config["samples"]["count"]
    shown = rows(generate(model.generator, fixed_latents(range(count), model.latent, 0, "samples"), batch=8))
    with Image.open(finished.files.fixed_samples()[-1]) as grid:
        assert np.array_equal(np.asarray(grid), np.asarray(picture(shown)))


def test_sampling_is_deterministic_in_any_batch_size(finished):
    generator = sg.load(finished.path, "latest")
    images = generator.sample(20, seed=3)
    assert images.dtype == torch.uint8
    assert images.shape == (20, 3, 16, 16)
    assert torch.equal(images, sg.load(finished.path, "latest").sample(20, seed=3, batch=7))
    assert not torch.equal(images, generator.sample(20, seed=4))
    assert not generator.training


def test_export_gives_one_file_that_samples_the_same_without_the_run(finished, tmp_path):
    file = sg.load(finished.path).save(tmp_path / "g.safetensors")
    images = sg.load(file).sample(5, seed=1)
    assert torch.equal(images, sg.load(finished.path).sample(5, seed=1))
    assert sg.load(file).about["recipe"] == "dcgan"


@pytest.mark.slow
def test_resume_continues_to_a_larger_budget_as_if_it_had_never_stopped(pictures, tmp_path):
    whole = run(pictures, tmp_path / "whole", budget={"steps": 31}, seed=5)
    part = run(pictures, tmp_path / "part", budget={"steps": 13}, seed=5)
    sg.resume(part.path, sg.Budget(steps=31), console=Quiet())
    assert fingerprint(whole.files.checkpoint(248)) == fingerprint(part.files.checkpoint(248))
    # an end of a part is an extra tick; all others agree in everything but time
    timeless = {"seconds", "images_per_second", "input_wait_fraction", "memory_mb"}
    ticks = [{t.images: t.model_dump(exclude=timeless) for t in r.log()} for r in (whole, part)]
    assert {n: ticks[1][n] for n in ticks[0] if n > 112} == {n: t for n, t in ticks[0].items() if n > 112}


FALLING = {"optimizer": {"generator": {"lr": {"kind": "cosine", "start": 1e-3, "end": 1e-4}}}}


def falling(images: int, length: int):
    """The rate of `FALLING` after so many images of a run of this length."""
    return pytest.approx(Cosine(start=1e-3, end=1e-4, images=length)(images))


@pytest.mark.parametrize(
    ("first", "then", "length"),
    [
        pytest.param({"steps": 10}, None, 80, marks=pytest.mark.slow),
        pytest.param({"images": 80}, sg.Budget(images=160), 160, marks=pytest.mark.slow),
        ({"steps": 10}, sg.Budget(steps=20), 160),
    ],
)
def test_a_schedule_without_a_length_ends_with_the_run_and_follows_another_budget(
    pictures, tmp_path, first, then, length
):
    taken = []

    def act(session):
        [group] = session.game.optimizers["generator"].optimizer.param_groups
        taken.append((float(group["lr"]), session.average.settings.half_life_images.images))

    shorter = {"ema": {"half_life_images": {"kind": "linear", "start": 100, "end": 10}}}
    part = run(pictures, tmp_path / "part", Quiet(act), budget=first, **FALLING, **shorter)
    assert taken[0] == (pytest.approx(1e-3, rel=0.05), 80)
    assert 1e-4 <= taken[-1][0] < 1.3e-4  # the last step of ten is made after 72 images, or counted after 80
    ticks = part.log()
    assert ticks[-1].images == 80
    assert ticks[-1].lr_g == pytest.approx(1e-4)
    assert ticks[len(ticks) // 2].lr_g > 3e-4
    assert part.info().config["budget"]["schedule_images"] == 80
    if then:
        part = sg.resume(part.path, then, console=Quiet())
        assert {tick.images: tick.lr_g for tick in part.log()}[96] == falling(96, length)
        assert part.log()[-1].lr_g == pytest.approx(1e-4)
    assert part.info().config["budget"]["schedule_images"] == length
    assert part.info().config["optimizer"]["generator"]["lr"]["images"] is None


def test_files_that_cannot_be_used_are_named_when_a_run_begins(tmp_path):
    folder = draw(tmp_path / "photos", 24)
    (folder / "broken.png").write_bytes(b"no picture")
    console = Quiet()
    run(folder, tmp_path / "a", console, {"steps": 1})
    said = next(place for place, line in enumerate(console.said) if "1 file rejected" in line)
    assert "broken.png" in console.said[said + 1]


def test_a_damaged_list_of_what_was_left_out_stops_no_run(tmp_path):
    dataset = sg.prepare(draw(tmp_path / "photos", 24), tmp_path / "set", sg.PrepareSettings(size=16))
    (dataset.path / "rejected.jsonl").write_text("{broken")
    console = Quiet()
    started = run(dataset.path, tmp_path / "a", console, {"steps": 1})
    assert any("left out is not known" in line for line in console.said)
    assert sg.resume(started.path, sg.Budget(steps=2), console=Quiet()).log()[-1].images == 16


def test_a_length_of_schedules_stays_where_no_limit_is_given(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("steadygan.training.run.DEFAULT_IMAGES", 40)
    part = run(pictures, tmp_path / "part", budget={"schedule_images": 20}, **FALLING)
    assert part.log()[-1].images == 40
    assert part.info().config["budget"]["schedule_images"] == 20
    assert {tick.images: tick.lr_g for tick in part.log()}[16] == falling(16, 20)


def test_by_minutes_a_schedule_is_as_long_as_the_run_is_expected_to_be(pictures, tmp_path):
    part = run(pictures, tmp_path / "part", budget={"minutes": 1 / 60, "steps": 60}, **FALLING)
    length = part.info().config["budget"]["schedule_images"]
    assert 8 < length <= 480
    part = sg.resume(part.path, sg.Budget(minutes=1, steps=61), console=Quiet())
    length, last = part.info().config["budget"]["schedule_images"], part.log()[-1]
    assert length <= 61 * 8
    assert last.lr_g == falling(last.images, length)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_signal_saves_and_resume_completes_bit_by_bit(pictures, tmp_path, finished, number):
    def act(session):
        if session.progress.steps == 11:
            os.kill(os.getpid(), number)

    with pytest.raises(sg.Interrupted, match="continue with `steadygan resume"):
        run(pictures, tmp_path / "b", Quiet(act))
    stopped = sg.Run(tmp_path / "b")
    assert stopped.files.latest.read_text().strip() == "images-000000088"
    assert stopped.files.progress.exists()
    sg.resume(stopped.path, console=Quiet())
    prints = [fingerprint(r.files.pointed(r.files.latest)) for r in (finished, stopped)]
    assert prints[0] == prints[1]
    assert [note.text.split()[0] for note in stopped.notes()] == ["started:", "stopped", "resumed", "finished"]


class Exploding(NonSaturating):
    """A loss that turns to NaN when told to."""

    now: ClassVar[bool] = False

    def d_loss(self, view):
        return super().d_loss(view) * torch.tensor(float("nan") if Exploding.now else 1.0)


def test_a_divergence_stops_the_run_and_keeps_the_last_good_checkpoint(pictures, tmp_path):
    Exploding.now = False

    def act(session):
        Exploding.now = session.progress.steps >= 9

    with pytest.raises(sg.Diverged) as error:
        falls = {"optimizer": {"discriminator": FALLING["optimizer"]["generator"]}}
        run(pictures, tmp_path / "c", Quiet(act), loss=Exploding(), care="watch", **falls)
    assert "the discriminator's gradient was not finite after 9 turns of the generator" in str(error.value)
    slower = re.search(r"--set 'optimizer.discriminator.lr=(.*?)'\)", str(error.value))
    assert slower
    assert json.loads(slower[1]) == {"kind": "cosine", "start": 5e-4, "end": 5e-5}
    assert "the last good checkpoint is images-000000064" in str(error.value)
    assert error.value.exit_code == 5
    stopped = sg.Run(tmp_path / "c")
    assert torch.isfinite(sg.load(stopped.path, "latest").generator.layers[0].weight).all()
    assert "diverged" in stopped.notes()[-1].text
    assert all(np.isfinite(tick.loss_d) for tick in stopped.log())


def test_own_networks_play_in_a_notebook_loop():
    torch.manual_seed(0)
    generator = torch.nn.Sequential(torch.nn.Linear(4, 2))
    discriminator = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    fast = {"generator_optimizer": sg.Adam(lr=1e-2), "discriminator_optimizer": sg.Adam(lr=1e-2)}
    game = sg.Game(generator, discriminator, loss=sg.Hinge(), penalties=[sg.R1(gamma=0.1)], **fast)
    for _ in range(300):
        real = torch.randn(64, 2) * 0.1 + torch.tensor([1.0, -2.0])
        fake = game.fakes(torch.randn(64, 4))
        game.d_step(real, fake)
        game.g_step(real, fake)
    centre = game.fakes(torch.randn(1000, 4)).mean(0)
    start = torch.tensor([1.0, -2.0]).norm()
    assert (centre - torch.tensor([1.0, -2.0])).norm() < 0.7 * start


@pytest.mark.slow
def test_memory_does_not_grow_with_steps(pictures, tmp_path):
    seen = {}

    def act(session):
        if session.progress.steps in (200, 2000):
            seen[session.progress.steps] = session.runtime.memory_mb()

    cadence = {name: {"every_images": 10**9} for name in ("samples", "checkpoint")}
    run(pictures, tmp_path / "m", Quiet(act), budget={"steps": 2000}, **cadence)
    assert seen[2000] < 1.02 * seen[200]


@pytest.mark.slow
def test_a_set_smaller_than_a_batch_and_labels_in_folders_train(tmp_path):
    for name in ("cats", "dogs"):
        draw(tmp_path / "animals" / name, 3)
    finished = run(tmp_path / "animals", tmp_path / "r", budget={"steps": 2})
    assert finished.info().data.class_names == ("cats", "dogs")
    assert finished.info().data.count == 6


@pytest.mark.slow
def test_minutes_end_a_run(pictures, tmp_path):
    finished = run(pictures, tmp_path / "t", budget={"minutes": 0.02}, log={"every_images": 8})
    *before, last = (tick.seconds for tick in finished.log())
    assert max(before, default=0) <= 1.2 <= last, "the first step that ends after the limit is the last one"


def test_training_outside_the_main_thread_works(pictures, tmp_path):
    results = []
    thread = threading.Thread(target=lambda: results.append(run(pictures, tmp_path / "x", budget={"steps": 2})))
    thread.start()
    thread.join()
    assert len(results[0].log()) >= 1


def test_run_json_is_there_before_the_first_step(pictures, tmp_path):
    seen = []
    run(
        pictures,
        tmp_path / "j",
        Quiet(lambda session: seen.append(json.loads(session.run.files.run_json.read_text())["seed"])),
        budget={"steps": 1},
    )
    assert seen == [0]


def _stopped_half_way(pictures, folder):
    def act(session):
        if session.progress.steps == 11:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(sg.Interrupted):
        run(pictures, folder, Quiet(act))
    return sg.Run(folder)


@pytest.mark.slow
def test_resume_passes_over_half_written_pictures_and_a_missing_pointer(pictures, tmp_path, finished):
    stopped = _stopped_half_way(pictures, tmp_path / "h")
    (stopped.files.samples / ".000000088.part.png").write_bytes(b"half")
    (stopped.files.samples / "my own picture.png").write_bytes(b"kept")
    (stopped.files.samples / "000000999.png").write_bytes(b"later")
    (stopped.files.samples / "random-000000999.png").write_bytes(b"later")
    _write_later_records(stopped)
    stopped.files.latest.unlink()
    sg.resume(str(stopped.path), console=Quiet())
    assert fingerprint(stopped.files.checkpoint(160)) == fingerprint(finished.files.checkpoint(160))
    assert (stopped.files.samples / "my own picture.png").exists()
    assert not list(stopped.files.samples.glob(".*"))
    assert [file.name for file in stopped.files.fixed_samples()][-1] == "000000160.png"
    assert not list(stopped.files.samples.glob("*999.png"))
    for recorded in (stopped.log(), stopped.scores()):
        images = [one.images for one in recorded]
        assert images == sorted(set(images)), "each is there once"
        assert max(images) == 160


def _write_later_records(stopped):
    """What a run that was killed after its last checkpoint had written until then."""
    last, score = stopped.log()[-1], stopped.scores()[-1]
    for images in (96, 999):
        records.append(stopped.files.log, last.model_copy(update={"images": images}))
        records.append(stopped.files.scores, score.model_copy(update={"images": images, "value": -1.0}))


@pytest.mark.slow
def test_a_run_killed_before_its_first_checkpoint_starts_again(pictures, tmp_path, finished):
    stopped = _stopped_half_way(pictures, tmp_path / "k")
    shutil.rmtree(stopped.files.checkpoints)
    stopped.files.scores.unlink()
    sg.resume(stopped.path, console=Quiet())
    assert fingerprint(stopped.files.checkpoint(160)) == fingerprint(finished.files.checkpoint(160))
    assert [tick.images for tick in stopped.log()] == [tick.images for tick in finished.log()]


class Doubled(NonSaturating):
    """A user's own variant of a part of ours."""

    def d_loss(self, view):
        return 2 * super().d_loss(view)


@pytest.mark.slow
def test_a_subclass_of_the_users_own_is_played_and_resumed_only_with_its_code(pictures, tmp_path, finished):
    config = configure(pictures, sg.RunConfig(loss=Doubled()), {**TINY, "size": 16, "budget": {"steps": 4}})
    assert type(config.loss) is Doubled
    own = train(config, tmp_path / "own", Quiet())
    assert own.log()[0].loss_d == pytest.approx(2 * finished.log()[0].loss_d, rel=0.2)
    with pytest.raises(sg.ConfigError, match=r"uses objects of your own \(loss\).*--recipe"):
        sg.resume(own.path, sg.Budget(steps=6), console=Quiet())
    sg.resume(own.path, sg.Budget(steps=6), console=Quiet(), recipe=config)
    assert own.log()[-1].step == 6


@pytest.mark.slow
def test_one_process_can_train_in_one_precision_after_another(pictures, tmp_path):
    for precision in ("float32", "bfloat16", "float32"):
        runtime = {**TINY["runtime"], "precision": precision}
        done = run(
            pictures, tmp_path / f"{precision}-{len(list(tmp_path.iterdir()))}", budget={"steps": 1}, runtime=runtime
        )
        assert done.info().device.precision == precision


def test_a_divergence_between_ticks_is_seen_before_a_checkpoint_is_written(pictures, tmp_path):
    Exploding.now = False

    def act(session):
        Exploding.now = session.progress.steps >= 3

    with pytest.raises(sg.Diverged, match=r"after 3 turns of the generator.*no checkpoint had been written yet"):
        run(pictures, tmp_path / "d", Quiet(act), loss=Exploding(), log={"every_images": 64}, care="watch")
    assert not (tmp_path / "d" / "checkpoints").exists()


def test_every_checkpoint_is_scored_once_and_the_best_is_close_to_the_lowest(finished):
    scores = {score.images: score.value for score in finished.scores()}
    assert len(scores) == len(finished.scores()) == 5
    best = finished.files.pointed(finished.files.best)
    assert int(best.name.removeprefix("images-")) == close_to_best(finished.scores())[-1].images
