"""Care beside a run: what it does, that nothing is lost by it, and that it does the same again after a stop."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any, ClassVar, get_args

import pytest
import torch
from safetensors.torch import load_file

import steadygan as sg
from quiet import Quiet
from steadygan.augment import AnyShow
from steadygan.care import Continue, RollBack, Stop
from steadygan.care.keep import Keeping
from steadygan.cli.main import main
from steadygan.data.loader import Batches
from steadygan.doctor.remedies import options
from steadygan.doctor.rule import Rule
from steadygan.errors import ConfigError
from steadygan.objectives import AnyPenalty
from steadygan.objectives.losses import NonSaturating
from steadygan.recipes import configure
from steadygan.schedule import Cosine
from steadygan.training import caring
from steadygan.training.listeners import TickWriter
from steadygan.training.loop import step
from steadygan.training.run import train
from steadygan.training.session import Session
from steadygan.training.snapshot import take
from steadygan.training.state import pack
from steadygan.training.turns import AnyTurns
from tiny import TINY, draw, fingerprint
from tiny_recipes import tiny_recipe

LR = 2e-4
LEAN: dict[str, Any] = TINY | {
    "size": 16,
    "samples": {"every_images": 10**6, "count": 1},
    "scores": {"metrics": ()},
    "runtime": {**TINY["runtime"], "convolution": "plain"},
    "checkpoint": {"every_images": 32, "keep": 2},
    "budget": {"steps": 14},
}
TREATED: dict[str, Any] = {
    "care": {"kind": "treat", "wait": 0.1},
    "budget": {"steps": 20},
    "doctor": {"every_images": 16, "most_time": 0.03},
}


class Exploding(NonSaturating):
    """A loss that is NaN once `since` images were seen, as long as the learning rate is above `limit`."""

    since: ClassVar[int] = 0
    limit: ClassVar[float] = 0.0
    session: ClassVar[Session | None] = None

    def d_loss(self, view):
        session = Exploding.session
        rate = session.config.optimizer.discriminator.lr if session is not None else 0.0
        fast = getattr(rate, "start", rate) > Exploding.limit
        return super().d_loss(view) * torch.tensor(float("nan") if fast and view.images >= Exploding.since else 1.0)


# finds a run ill from its second checkpoint on, until it learns more slowly
ILL = Rule(
    *("ill", "serious", "it is ill", "why"),
    lambda case: "too fast" if case.images >= 64 and case.setting("optimizer.generator.lr") > LR / 2 else None,
    lambda case: [options({f"optimizer.{one}.lr": LR / 4 for one in ("generator", "discriminator")}, "slower")],
    "paper",
)


@pytest.fixture(autouse=True, scope="module")
def lean():
    """Cheap scores and no pictures of the whole run; one rule; the loss above knows the run it is in."""
    begin = Session.begin

    def begun(session):
        Exploding.session = session
        begin(session)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "begin", begun)
        patch.setattr("steadygan.care.treat.RULES", (ILL,))
        patch.setattr("steadygan.training.scores._SMALLEST_DESCRIBED", 10**6)
        patch.setattr("steadygan.training.listeners.draw_whole_run", lambda session: None)
        yield


def configured(pictures, **settings):
    return configure(pictures, "dcgan", settings={**LEAN, **settings})


def run(pictures, out, console=None, **settings):
    return train(configured(pictures, **settings), out, console or Quiet())


def exploding(pictures, since: int, limit: float = LR / 2, **settings):
    Exploding.session, Exploding.since, Exploding.limit = None, since, limit
    return configured(pictures, loss=Exploding(), **settings)


def acts(done: sg.Run):
    return [one for one in done.findings() if one.act]


def told(done: sg.Run) -> list[str]:
    return [note.text for note in done.notes() if note.text.startswith("care: ")]


TIMELESS = {"seconds", "images_per_second", "input_wait_fraction", "memory_mb", "threads"}


def written(done: sg.Run) -> dict[str, Any]:
    """All that a run wrote down, but for what depends on the clock."""
    return {
        "weights": fingerprint(done.checkpoint("latest").folder),
        "best": done.checkpoint("best").name,
        "checkpoints": [one.name for one in done.checkpoints()],
        "ticks": [one.model_dump(exclude=TIMELESS) for one in done.log()],
        "signals": [one.model_dump(exclude=TIMELESS) for one in done.signals()],
        "scores": done.scores(),
        "findings": done.findings(),
        "told": told(done),
        "config": done.info().config,
    }


@pytest.fixture(scope="module")
def diverged(pictures, tmp_path_factory):
    """NaN after 48 images, seen at 64, where the only checkpoint is that of 32: the run goes on from there, slower."""
    console = Quiet()
    return train(exploding(pictures, 48), tmp_path_factory.mktemp("runs") / "a", console), console


@pytest.fixture(scope="module")
def treated(pictures, tmp_path_factory):
    """Treated at its second checkpoint, after 64 images."""
    return run(pictures, tmp_path_factory.mktemp("runs") / "a", **TREATED)


def test_a_run_that_diverges_is_set_back_and_ends_with_its_budget(diverged):
    done, console = diverged
    assert [tick.images for tick in done.log()] == [16, 32, 48, 80, 96, 112]
    assert [tick.lr_d for tick in done.log()] == [LR] * 3 + [pytest.approx(LR / 3, rel=0.01)] * 3
    [act] = acts(done)
    assert (act.rule, act.images, act.back_to) == ("care-set-back", 64, 32)
    [said] = [text for text in console.said if text.startswith("care: ")]
    assert "after 32 images" in said
    assert "--from-checkpoint images-000000032" in said
    [note] = [note for note in done.notes() if note.text.startswith("care: ")]
    assert note.images == 64
    assert done.info().config["optimizer"]["generator"]["lr"] == LR, "what the user asked for"


def test_rates_that_fall_are_lowered_as_a_whole_and_follow_another_budget(pictures, tmp_path):
    falling = {"kind": "cosine", "start": LR, "end": LR / 10}
    optimizers = {player: {"lr": falling} for player in ("generator", "discriminator")}
    recipe = exploding(pictures, 48, optimizer=optimizers)
    done = train(recipe, tmp_path / "a", Quiet())

    def rates(start, length, *images):
        lowered = Cosine(start=start, end=start / 10, images=length)
        return [pytest.approx(lowered(seen), rel=0.01) for seen in images]

    assert [tick.lr_d for tick in done.log()] == rates(LR, 112, 16, 32, 48) + rates(LR / 3, 112, 80, 96, 112)
    done = sg.resume(done.path, sg.Budget(images=224), recipe=recipe, console=Quiet())
    assert [tick.lr_d for tick in done.log() if tick.images > 112] == rates(LR / 3, 224, *range(128, 225, 16))


def weights(session: Session) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name, network in session.networks().items()
        for key, value in network.state_dict().items()
    }


@pytest.fixture
def backs(monkeypatch):
    """What runs began with, then what they had right after each set-back: act, weights, moments, images counted."""
    seen: list[Any] = []
    begin, set_back = Session.begin, caring.set_back

    def begun(session):
        begin(session)
        seen.append(weights(session))

    def looked(session, act):
        set_back(session, act)
        moments = pack(session.game.optimizers["generator"].state_dict())[1]
        seen.append((act, weights(session), moments, session.progress.images, session.game.images))

    monkeypatch.setattr(Session, "begin", begun)
    monkeypatch.setattr(caring, "set_back", looked)
    return seen


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_right_after_a_set_back_all_is_as_the_checkpoint_has_it(pictures, tmp_path, backs):
    done = train(exploding(pictures, 48, budget={"steps": 9}), tmp_path / "a", Quiet())
    _, (act, now, moments, *images) = backs
    assert act.to_images == 32
    assert images == [64, 64]
    folder = done.files.checkpoint(32)
    names = ("generator", "average", "discriminator")
    saved = {f"{name}.{k}": v for name in names for k, v in load_file(folder / f"{name}.safetensors").items()}
    assert equal(now, saved)
    prefix = "game.descents.generator."
    kept = {k.removeprefix(prefix): v for k, v in load_file(folder / "state.safetensors").items() if prefix in k}
    assert any(name.endswith("exp_avg_sq") for name in kept)
    assert equal(moments, kept)


def test_a_run_that_diverges_before_its_first_checkpoint_begins_anew(pictures, tmp_path, backs):
    train(exploding(pictures, 8, budget={"steps": 4}), tmp_path / "a", Quiet())
    first, (act, now, moments, *images) = backs
    assert act.to_images is None
    assert images == [16, 16]
    assert equal(now, first)
    assert moments.keys() == {"turns"}


def in_a_child(work: Callable[[], Any]) -> int:
    """Do something in a process of its own, which may kill itself; how that ended, as `os.wait` has it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def at_step(number: int):
    return Quiet(lambda session: die() if session.progress.steps == number else None)


def touching(folder, moment: int) -> None:
    """Die when something in a folder is opened, renamed or removed once too often."""
    left = [moment]

    def count(event, arguments):
        if arguments and str(folder) in str(arguments[0]):
            left[0] -= 1
            if left[0] == 0:
                die()

    sys.addaudithook(count)


STEPS = [pytest.param(step, marks=() if step == 9 else pytest.mark.slow) for step in (5, 7, 8, 9, 10, 12, 13)]


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_killed_around_a_set_back_ends_as_if_it_had_not_been(pictures, tmp_path, diverged, step):
    config, out = exploding(pictures, 48), tmp_path / "a"
    assert in_a_child(lambda: train(config, out, at_step(step))) == signal.SIGKILL
    Exploding.session = None
    sg.resume(out, recipe=config, console=Quiet())
    assert written(sg.Run(out)) == written(diverged[0])


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(75, 175, 10))
def test_a_kill_at_a_write_around_a_set_back_changes_nothing(pictures, tmp_path, diverged, moment):
    config, out = exploding(pictures, 48), tmp_path / "a"

    def work():
        touching(out, moment)
        train(config, out, Quiet())

    assert in_a_child(work) == signal.SIGKILL
    Exploding.session = None
    sg.resume(out, recipe=config, console=Quiet())
    assert written(sg.Run(out)) == written(diverged[0])


def test_a_finding_is_treated_by_its_remedy_and_what_is_changed_stays_out_of_run_json(treated):
    first, *_ = acts(treated)
    assert (first.rule, first.images) == ("care-set-back", 64)
    assert treated.log()[-1].lr_g == LR / 4
    assert treated.info().config["optimizer"]["generator"]["lr"] == LR


@pytest.mark.slow
@pytest.mark.parametrize("step", [8, 9, 11, 12, 13])
def test_a_run_that_is_killed_around_a_treatment_ends_as_if_it_had_not_been(pictures, tmp_path, treated, step):
    out = tmp_path / "a"
    assert in_a_child(lambda: run(pictures, out, at_step(step), **TREATED)) == signal.SIGKILL
    sg.resume(out, console=Quiet())
    assert written(sg.Run(out)) == written(treated)


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_writes_of_its_treatment_does_it_again(pictures, tmp_path, treated, monkeypatch):
    out, append = tmp_path / "a", caring.append

    def work():
        monkeypatch.setattr(caring, "append", lambda *given: (append(*given), die()))
        run(pictures, out, **TREATED)

    assert in_a_child(work) == signal.SIGKILL
    assert len(told(sg.Run(out))) == len(acts(sg.Run(out))) == 1
    sg.resume(out, console=Quiet())
    assert written(sg.Run(out)) == written(treated)


@pytest.mark.slow
def test_a_stop_on_request_between_a_set_back_and_the_next_checkpoint_keeps_the_run_what_it_is(
    pictures, tmp_path, diverged
):
    config, out = exploding(pictures, 48), tmp_path / "a"

    def ask(session):
        if session.progress.steps == 8:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(sg.Interrupted):
        train(config, out, Quiet(ask))
    sg.resume(out, recipe=config, console=Quiet())
    one, two = (written(done) for done in (sg.Run(out), diverged[0]))
    assert one["weights"] == two["weights"]
    assert (one["findings"], one["told"]) == (two["findings"], two["told"])


@pytest.mark.parametrize("care", ["keep", pytest.param("treat", marks=pytest.mark.slow)])
def test_care_that_does_nothing_changes_nothing(pictures, tmp_path, monkeypatch, care):
    monkeypatch.setattr("steadygan.care.treat.RULES", ())
    runs = [run(pictures, tmp_path / one, care=one, budget={"steps": 6}) for one in ("watch", care)]
    one, two = (written(done) for done in runs)
    assert {**one, "config": 0} == {**two, "config": 0}
    assert acts(runs[1]) == []


@pytest.fixture(scope="module")
def stopped(pictures, tmp_path_factory):
    """Ended by care at its first checkpoint."""
    out = tmp_path_factory.mktemp("runs") / "a"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Keeping, "decide", lambda self, moment: Stop("why"))
        done = run(pictures, out, log={"every_images": 24}, doctor={"every_images": 16, "most_time": 0.03})
        before = written(done)
        sg.resume(out, console=Quiet())  # it ends again, and writes nothing twice
        assert written(done) == before
    assert done.log()[-1].images == 32
    assert [one.rule for one in acts(done)] == ["care-ended"]
    return done


@pytest.mark.slow
def test_a_run_that_care_ended_goes_on_without_it_to_its_budget(stopped):
    done = sg.resume(stopped.path, console=Quiet(), care="watch")
    assert done.log()[-1].step == 14
    assert acts(done) == []
    assert done.info().config["care"]["kind"] == "watch"


def test_a_run_goes_on_from_a_checkpoint_by_its_name_and_forgets_what_came_after(pictures, tmp_path):
    out = tmp_path / "a"
    done = train(exploding(pictures, 48, checkpoint={"every_images": 32, "keep": 9}), out, Quiet())
    assert [one.images for one in done.checkpoints()] == [32, 96, 112]
    before, after = (one.meta.state["changes"] for one in done.checkpoints()[:2])
    assert before == {}
    assert after.keys() == {"optimizer.generator.lr", "optimizer.discriminator.lr"}
    with pytest.raises(ConfigError, match=r"no checkpoint 'images-7'; there are: best, latest, images-000000032"):
        sg.resume(out, checkpoint="images-7", recipe=exploding(pictures, 48), console=Quiet())
    seen = []

    def look(session):
        if not seen:
            files = sg.Run(out)
            seen.append((files.checkpoint("latest").images, files.checkpoint("best").images, session.config))
            seen.append([*files.log(), *files.scores(), *files.findings()])

    again = exploding(pictures, 10**6)
    sg.resume(out, checkpoint="images-000000032", care="watch", recipe=again, console=Quiet(look))
    latest, best, config = seen[0]
    assert (latest, best) == (32, 32)
    assert config.optimizer.generator.lr == LR
    assert max(one.images for one in seen[1]) == 32
    assert done.log()[-1].lr_g == LR
    assert acts(done) == []


@pytest.mark.parametrize("command", ["train", "resume"])
def test_care_that_there_is_not_is_refused_in_a_line(pictures, tmp_path, stopped, capsys, command):
    line = ["train", str(pictures), "-o", str(tmp_path / "a")] if command == "train" else ["resume", str(stopped.path)]
    with pytest.raises(SystemExit) as left:
        main([*line, "--care", "nonsense"])
    [said] = capsys.readouterr().err.splitlines()
    assert left.value.code == 2
    assert said.startswith("steadygan: care")
    assert "watch" in said
    assert "treat" in said


KINDS = ("watch", "keep", "treat")


@pytest.mark.slow
@pytest.mark.parametrize("then", KINDS)
@pytest.mark.parametrize("first", KINDS)
def test_any_care_goes_on_after_any_other(pictures, tmp_path, first, then):
    done = run(pictures, tmp_path / "a", budget={"steps": 9}, care=first, doctor={"most_time": 0.03})
    sg.resume(done.path, sg.Budget(steps=13), care=then, console=Quiet())
    assert done.log()[-1].step == 13
    config = done.info().config
    assert config["care"]["kind"] == then
    assert (config["doctor"]["every_images"] is None) == ("treat" not in (first, then)), "looks that follow no clock"


def test_a_run_from_before_there_was_care_or_a_seed_of_the_split_goes_on(pictures, tmp_path, monkeypatch):
    state_dict = Session.state_dict
    new = ("changes", "care", "decides")
    monkeypatch.setattr(
        Session, "state_dict", lambda session: {k: v for k, v in state_dict(session).items() if k not in new}
    )
    done = run(pictures, tmp_path / "a", budget={"steps": 4})
    monkeypatch.undo()
    info = done.info()
    config = {name: value for name, value in info.config.items() if name != "care"}
    del config["data"]["split_seed"]
    done.write_info(info.model_copy(update={"config": config}))
    meta = done.files.checkpoint(done.checkpoint().images) / "meta.json"
    written = json.loads(meta.read_text())
    meta.write_text(json.dumps(written | {"config": config}))
    done.write_info(info.model_copy(update={"config": config | {"data": config["data"] | {"split_seed": 3}}}))
    with pytest.raises(sg.ConfigError, match=r"data\.split_seed was None and is now 3"):
        sg.resume(done.path, sg.Budget(steps=6), console=Quiet())
    done.write_info(info.model_copy(update={"config": config}))
    sg.resume(done.path, sg.Budget(steps=6), console=Quiet())
    assert done.log()[-1].step == 6


@pytest.mark.parametrize(("since", "damaged", "back_to"), [(48, 32, 0), (80, 64, 32)])
def test_a_run_that_cannot_go_back_to_a_damaged_checkpoint_goes_to_an_earlier_one_or_begins_anew(
    pictures, tmp_path, since, damaged, back_to
):
    def damage(session):
        if session.progress.images == since:
            (session.run.files.checkpoint(damaged) / "discriminator.safetensors").write_bytes(b"half")

    config = exploding(pictures, since, budget={"steps": 13})
    done = train(config, tmp_path / "a", Quiet(damage))
    [act] = acts(done)
    assert act.back_to == back_to
    assert "discriminator.safetensors is damaged" in act.evidence
    assert done.log()[-1].step == 13


def test_a_run_from_trained_networks_whose_only_checkpoint_is_damaged_is_told_in_a_line(pictures, tmp_path):
    source = run(pictures, tmp_path / "source", budget={"steps": 2})

    def damage(session):
        for folder in session.run.files.all_checkpoints() if session.progress.images == 48 else ():
            (folder / "discriminator.safetensors").write_bytes(b"half")

    with pytest.raises(sg.DataError, match=r"discriminator.safetensors is damaged"):
        train(exploding(pictures, 48, start={"source": str(source.path)}), tmp_path / "a", Quiet(damage))
    assert acts(sg.Run(tmp_path / "a")) == []


@pytest.mark.slow
def test_a_disk_that_is_full_when_a_run_is_set_back_is_told_in_a_line_and_resume_does_it_again(
    pictures, tmp_path, diverged, monkeypatch
):
    def full(*_):
        raise sg.StorageError("cannot write notes.jsonl: the disk is full; free some space")

    config = exploding(pictures, 48)
    with monkeypatch.context() as patch, pytest.raises(sg.StorageError, match="the disk is full"):
        patch.setattr(caring, "append", full)
        train(config, tmp_path / "a", Quiet())
    Exploding.session = None
    sg.resume(tmp_path / "a", recipe=config, console=Quiet())
    assert written(sg.Run(tmp_path / "a")) == written(diverged[0])


def members(union: Any) -> list[str]:
    return [one.model_fields["kind"].default for one in get_args(get_args(union)[0])]


CHANGES = [
    *({"penalties": [kind]} for kind in members(AnyPenalty)),
    *({"show": kind} for kind in members(AnyShow)),
    *({"turns": kind} for kind in members(AnyTurns)),
]


@pytest.fixture(scope="module")
def player(pictures, tmp_path_factory):
    """A run at its second checkpoint, as care finds it: to be set back under any change, again and again."""
    kept = []
    out = tmp_path_factory.mktemp("runs") / "a"
    run(pictures, out, Quiet(lambda session: kept or kept.append(session)), budget={"steps": 8})
    return kept[0]


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: "-".join(map(str, next(iter(changes.items())))))
def test_a_run_can_be_set_back_under_any_change_and_played_on(pictures, player, changes):
    session = player
    ticks = TickWriter(session.config.log, session.progress)
    for to_images in (32, None):
        caring.set_back(session, RollBack(to_images, changes))
        with closing(Batches(session.dataset, batch=8, seed=0)) as batches:
            step(session, batches)
            step(session, batches)
        ticks(session, take(session, 0))
        tick = session.run.log()[-1]
        assert tick.images == session.progress.images
        assert tick.shares.keys() == {f"penalty.{one}" for one in changes.get("penalties", ())}
        assert session.meter.count == 0


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["steady", "r3gan", "sngan"])
def test_recipes_begin_anew_with_the_weights_that_they_began_with(tmp_path, monkeypatch, backs, recipe):
    for name in ("cats", "dogs"):
        draw(tmp_path / "animals" / name, 20, seed=len(name))
    narrow = tiny_recipe(recipe, sg.ImageSpec(size=16, channels=3, classes=2))
    back = RollBack(None, {"optimizer.generator.lr": 1e-4})
    monkeypatch.setattr(Keeping, "decide", lambda self, moment: Continue() if moment.changes else back)
    settings = {name: value for name, value in LEAN.items() if name != "networks"}
    config = configure(str(tmp_path / "animals"), narrow, settings={**settings, "budget": {"images": 64}})
    done = train(config, tmp_path / "a", Quiet())
    first, (_, now, *_) = backs
    assert equal(now, first)
    assert done.log()[-1].images >= 64
    assert done.log()[-1].lr_g == 1e-4
    assert all(math.isfinite(tick.loss_d) for tick in done.log())


BOTH = """
import hashlib, pathlib
import torch
from steadygan.care import Continue, Stop
from steadygan.care.keep import Keeping
from steadygan.objectives.losses import NonSaturating
from steadygan.recipes import configure
from steadygan.training.run import train
from steadygan.training.session import Session

begin = Session.begin

def begun(self):
    global session
    session = self
    begin(self)

Session.begin = begun
Keeping.past_best = lambda self, moment: Stop("why") if moment.images == 96 else Continue()

class Exploding(NonSaturating):
    def d_loss(self, view):
        bad = "session" in globals() and session.runtime.rank == 1 and 48 <= view.images < 64
        return super().d_loss(view) * (float("nan") if bad else 1.0)

train(configure({source!r}, "dcgan", settings={settings!r} | dict(loss=Exploding())), pathlib.Path({folder!r}) / "run")
digest = hashlib.sha256()
for network in session.networks().values():
    for parameter in network.parameters():
        digest.update(parameter.detach().contiguous().numpy().tobytes())
said = [digest.hexdigest(), session.progress.steps, session.config.optimizer.generator.lr, dict(session.changes)]
pathlib.Path({folder!r}, f"end-{{session.runtime.rank}}").write_text(repr(said))
"""


@pytest.mark.slow
@pytest.mark.distributed
def test_two_processes_act_alike_when_one_diverges_and_when_the_run_is_ended(pictures, tmp_path):
    script = tmp_path / "both.py"
    script.write_text(BOTH.format(source=str(pictures), settings=LEAN, folder=str(tmp_path)))
    line = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    done = subprocess.run([sys.executable, *line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    ends = [(tmp_path / f"end-{rank}").read_text() for rank in (0, 1)]
    assert ends[0] == ends[1]
    run = sg.Run(tmp_path / "run")
    assert [(one.rule, one.images) for one in acts(run)] == [("care-set-back", 64), ("care-ended", 96)]
    assert run.log()[-1].images == 96
    assert run.log()[-1].lr_g == pytest.approx(LR / 3, rel=0.01)
