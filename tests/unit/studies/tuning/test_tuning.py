"""A search by trials: what it searches, how it goes on after anything, and what it says."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from steadygan.claim import alone
from steadygan.errors import ConfigError
from steadygan.studies.tuning import tune as module
from steadygan.studies.tuning.plan import SearchRequest, plan_search
from steadygan.studies.tuning.ranges import SearchRange, parse_ranges
from steadygan.studies.tuning.search import Search, SearchFolder
from steadygan.studies.tuning.tune import tune
from steadygan.training.console import Silent

PYTHON = sys.executable
LR = "optimizer.generator.lr"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{LR}=1e-4..1e-3:log", SearchRange(place=LR, low=1e-4, high=1e-3, log=True)),
        ("networks.dropout=0..0.5", SearchRange(place="networks.dropout", low=0, high=0.5)),
        ("turns.discriminator=1..5", SearchRange(place="turns.discriminator", low=1, high=5, whole=True)),
        (" batch = 16| 32|16 ", SearchRange(place="batch", choices=("16", "32"))),
        (
            'loss={"kind": "hinge", "a": 1}|minimax',
            SearchRange(place="loss", choices=('{"kind": "hinge", "a": 1}', "minimax")),
        ),
    ],
)
def test_a_range_is_read_and_written_alike(text, wanted):
    assert parse_ranges([text]) == (wanted,)
    assert parse_ranges([str(wanted)]) == (wanted,)


def test_several_ranges_may_stand_in_one_text():
    assert [one.place for one in parse_ranges([f"{LR}=1..2,batch=1|2", "loss=hinge|minimax"])] == [LR, "batch", "loss"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "say which settings"),
        (["batch"], "no range"),
        (["batch="], "no range"),
        (["batch=32"], "one value is nothing to search"),
        (["batch=16||32"], "one value is nothing"),
        (["batch=64..16"], "64 is not below 16; put the lower end first"),
        ([f"{LR}=0..1:log"], "begins above 0"),
        (["batch=1|2", "batch=3|4"], "given twice"),
    ],
)
def test_what_is_no_range_is_refused_in_one_line(texts, said):
    with pytest.raises(ConfigError, match=said) as refused:
        parse_ranges(texts)
    assert "\n" not in str(refused.value)


def test_ranges_are_optunas_distributions_and_their_values_settings():
    pytest.importorskip("optuna")
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    lr, turns, loss = parse_ranges([f"{LR}=1e-4..1e-3:log", "turns.discriminator=1..5", "loss=hinge|minimax"])
    assert lr.distribution() == FloatDistribution(1e-4, 1e-3, log=True)
    assert turns.distribution() == IntDistribution(1, 5)
    assert loss.distribution() == CategoricalDistribution(("hinge", "minimax"))
    assert (lr.text(2e-4), turns.text(3), loss.text("hinge")) == ("0.0002", "3", "hinge")
    assert turns.ends() == ("1", "5")


@pytest.mark.parametrize(
    ("over", "more", "said"),
    [
        (["bach=1|2"], {}, "did you mean 'batch'"),
        (["loss=hinge|hing"], {}, "--over loss=hing: .*did you mean 'hinge'"),
        ([f"{LR}.start=1e-4|2e-4"], {"recipe": "steady"}, "kind=NAME"),  # only large images have a schedule there
        (["size=32|64"], {}, "do not compare"),
        (["data.mirror=true|false"], {}, "do not compare"),
        (["batch=1|2"], {"images": None}, "--images N"),
        (["batch=1|2"], {"metric": "kd"}, "kid"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_any_work(over, more, said, glyphs):
    with pytest.raises(ConfigError, match=said):
        plan_search(SearchRequest(str(glyphs.path), over, **({"images": 64, "recipe": "dcgan"} | more)), Silent())


def searched(**more):
    given = {"source": "x", "recipe": "dcgan", "images": 1200, "metric": "kid", "better": "lower"}
    return Search(ranges=parse_ranges(["x=0..10.5", "name=good|bad"]), **(given | more))


PROGRAM = """
import json, pathlib, signal, sys
command, rest = sys.argv[1], sys.argv[2:]
def option(name): return rest[rest.index(name) + 1]
run = pathlib.Path(option("-o") if command == "train" else rest[0])
log = run.parent.parent / "calls.txt"
with log.open("a") as file: print(command, run.name, file=file)
if command == "evaluate":
    out = next(word for word in rest if word.startswith("--json=")).removeprefix("--json=")
    chosen = json.loads((run / "chosen.json").read_text())
    value = float(chosen["x"]) + (100 if chosen["name"] == "bad" else 0)
    pathlib.Path(out).write_text(json.dumps({"scores": [{"value": value}]}))
    sys.exit()
FIRST
sets = dict(rest[at + 1].split("=", 1) for at, word in enumerate(rest) if word == "--set")
run.mkdir(parents=True)
(run / "chosen.json").write_text(json.dumps(sets))
"""


SCORES = """
run.mkdir(parents=True)
(run / "chosen.json").write_text(json.dumps({"x": "1", "name": "good"}))
bad = run.name == "trial-0006"
with (run / "scores.jsonl").open("w") as file:
    for at in range(1, 13):
        print(json.dumps({"step": at, "images": 100 * at, "metric": "fd-training", "value": 900 if bad else 10 + at,
                          "protocol": "p", "better": "lower"}), file=file, flush=True)
if bad:
    signal.signal(signal.SIGALRM, lambda *_: (run / "went on").touch())
    signal.alarm(20)
    signal.pause()
sys.exit()
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Stands for the command line: trains in no time, and scores x, or x + 100 if the name is bad."""
    pytest.importorskip("optuna")
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)

    def write(first=""):
        file = tmp_path / "program"
        file.write_text(f'#!/bin/sh\nshift 2\nexec {PYTHON} {tmp_path / "program.py"} "$@"\n')
        file.chmod(0o755)
        (tmp_path / "program.py").write_text(PROGRAM.replace("FIRST", first))
        monkeypatch.setattr(sys, "executable", str(file))

    write()
    return write


def calls(home):
    return (home.path / "calls.txt").read_text().splitlines()


def test_a_search_finds_what_is_best_and_says_what_it_tried(program, tmp_path):
    home, said = SearchFolder(tmp_path / "search"), []
    found = tune(searched(), home, 6, 2, 1, said.append)
    assert [row.state for row in found.trials] == ["complete"] * 6
    values = [row.value for row in found.trials]
    assert values == sorted(values)
    assert found.best.value == pytest.approx(
        float(found.best.settings["x"]) + (100 if found.best.settings["name"] == "bad" else 0)
    )
    assert len(said) == 6
    assert said[0].startswith("trial ")
    assert sorted(calls(home)) == sorted(
        f"{command} trial-{number:04d}" for command in ("train", "evaluate") for number in range(6)
    )


def test_the_same_search_goes_on_and_another_is_refused(program, tmp_path):
    home = SearchFolder(tmp_path / "search")
    tune(searched(), home, 2, 1, 1, print)
    assert len(tune(searched(), home, 3, 1, 1, print).trials) == 3
    assert len(calls(home)) == 6
    with pytest.raises(ConfigError, match="images was 1200 and is now 2400"):
        tune(searched(images=2400), home, 4, 1, 1, print)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(ConfigError, match="holds no search"):
        tune(searched(), SearchFolder(tmp_path / "other"), 2, 1, 1, print)


def test_a_trial_that_nobody_works_at_any_more_is_taken_up_again(program, tmp_path):
    program(SCORES)
    home, search = SearchFolder(tmp_path / "search"), searched()
    home.begin(search)
    killed = home.study(search).ask({one.place: one.distribution() for one in search.ranges})
    killed.report(11.0, 1)
    home.run(0).path.mkdir()
    found = tune(search, home, 1, 1, 1, print)
    assert [(row.number, row.state) for row in found.trials] == [(0, "complete")]
    values = home.study(search).trials[0].intermediate_values
    assert values == {check: 10.0 + check for check in range(1, 12)}


def test_a_trial_at_which_another_worker_works_is_left_to_it(program, tmp_path):
    home, search = SearchFolder(tmp_path / "search"), searched()
    home.begin(search)
    home.study(search).ask({one.place: one.distribution() for one in search.ranges})
    with alone(home.job(0, "lock"), "", ""):
        found = tune(search, home, 2, 1, 1, print)
    assert [(row.number, row.state) for row in found.trials] == [(1, "complete"), (0, "running")]


def test_what_diverges_is_learnt_from_and_what_fails_is_told(program, tmp_path):
    program('if run.name == "trial-0000": sys.exit(5)\nif run.name == "trial-0001": sys.exit("steadygan: no room")')
    home = SearchFolder(tmp_path / "search")
    found = tune(searched(), home, 3, 1, 1, print)
    assert [(row.number, row.state, row.reason) for row in found.trials] == [
        (2, "complete", ""),
        (0, "pruned", "it diverged"),
        (1, "failed", "no room"),
    ]


def test_a_search_in_which_nothing_works_ends_soon(program, tmp_path):
    program('sys.exit("steadygan: no such thing")')
    with pytest.raises(ConfigError, match="3 trials failed and none succeeded; the last: no such thing"):
        tune(searched(), SearchFolder(tmp_path / "search"), 20, 1, 1, print)


@pytest.mark.parametrize("ctrl_c", [signal.default_int_handler, signal.SIG_IGN], ids=["heard", "ignored"])
def test_a_trial_worse_than_most_ends_early(program, tmp_path, ctrl_c):
    """Even with Ctrl-C ignored, as it is in all that a script starts with `&`."""
    program(SCORES)
    before = signal.signal(signal.SIGINT, ctrl_c)
    try:
        found = tune(searched(), SearchFolder(tmp_path / "search"), 7, 1, 1, print)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not list(tmp_path.rglob("went on"))
    assert [row.number for row in found.trials if row.state == "pruned"] == [6]
    assert "worse than half" in found.trials[-1].reason


def test_trials_can_be_opened_by_optuna_itself(program, tmp_path):
    home = SearchFolder(tmp_path / "search")
    tune(searched(), home, 2, 1, 1, print)
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(home.storage)))
    study = optuna.load_study(storage=storage, study_name="steadygan")
    assert [trial.user_attrs["run"] for trial in study.trials] == ["trial-0000", "trial-0001"]
    assert json.loads(home.search_json.read_text())["ranges"][0]["place"] == "x"
    assert Path(home.run(0).path).is_dir()
