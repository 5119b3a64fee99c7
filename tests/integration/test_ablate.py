"""A study from its plan to its answer: pairs are pairs, and nothing that stops it changes what it says."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import steadygan as sg
from steadygan.data import PrepareSettings, prepare
from steadygan.errors import ConfigError
from steadygan.studies.ablation.engines import RayCluster
from steadygan.studies.ablation.job import run_job
from steadygan.studies.ablation.plan import Request, make_plan
from steadygan.studies.ablation.records import Outcome
from steadygan.studies.ablation.study import BASE, StudyFolder
from steadygan.training.config import Budget
from tiny import TINY, command, draw, fingerprint, set_options, steadygan

NOTHING, BROKEN = "samples.count=4", "optimizer.generator.lr=1e30"
IMAGES, LONGER = 96, 384
SETS = [word for word in set_options(TINY) if word != "--set"]
VARIED = ["samples.count=9,4", "optimizer.generator.lr=0.0002,1e30"]


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    return prepare(draw(folder / "pictures", 100), folder / "set", PrepareSettings(size=16, held_out=0.2)).path


def request_of(images: Path, **options) -> Request:
    asked = {"recipe": "dcgan", "vary": ["spectral_norm"], "sets": [*SETS, *VARIED], "seeds": 2,
             "budget": Budget(images=IMAGES), "jobs": 1}  # fmt: skip
    return Request(str(images), **{**asked, **options})


@pytest.fixture(scope="module")
def made(images, tmp_path_factory) -> StudyFolder:
    """A study and its runs under seed 0; the one in which nothing differs was stopped after a third of its budget."""
    home = StudyFolder(tmp_path_factory.mktemp("study"))
    home.write(make_plan(request_of(images), home).study)
    run_job(home.path, NOTHING, 0, rung=True)
    assert home.run(NOTHING, 0).checkpoint("latest").images == IMAGES // 3
    assert home.finished(NOTHING, 0) is None
    for name in (BASE, NOTHING, BROKEN):
        run_job(home.path, name, 0)
    return home


def test_a_variant_that_changes_nothing_is_the_base_to_the_bit(made):
    base, same = (made.run(name, 0) for name in (BASE, NOTHING))
    assert fingerprint(base.files.checkpoint(IMAGES)) == fingerprint(same.files.checkpoint(IMAGES))
    ours, theirs = (made.finished(name, 0) for name in (BASE, NOTHING))
    assert ours.outcome.value is not None
    assert ours.outcome.value == theirs.outcome.value
    assert ours.score.protocol == theirs.score.protocol
    assert ours.score.protocol.startswith("kid")


def test_what_decides_picked_nothing_and_is_written_into_the_run_as_well(made):
    done, run = made.finished(BASE, 0), made.run(BASE, 0)
    picked = run.checkpoint("best").meta.score
    assert picked.metric != done.score.metric
    assert "held-out" in done.score.protocol
    assert done.outcome.value in [one.value for one in run.scores() if one.protocol == done.score.protocol]


def test_a_divergence_is_an_outcome(made):
    outcome = made.finished(BROKEN, 0).outcome
    assert (outcome.state, outcome.value) == ("diverged", None)
    assert "not finite" in outcome.reason


def test_a_run_that_is_done_stays_as_it_is(made):
    before = made.finished_json(BASE, 0).stat().st_mtime_ns
    run_job(made.path, BASE, 0)
    assert made.finished_json(BASE, 0).stat().st_mtime_ns == before


def test_all_sources_of_chance_differ_between_seeds_and_none_within(images, made):
    study = made.read()
    assert len(set(study.digests.values())) == 2
    for name in (BASE, "spectral_norm"):
        first, second = (study.config(name, seed) for seed in (0, 1))
        assert (first.seed, first.data.split_seed) == (0, 0)
        assert (second.seed, second.data.split_seed) == (1, 1)
    changed = {one.name: one.changes for one in study.variants}
    assert changed["spectral_norm"] == {"networks.spectral_norm": "discriminator"}


def test_more_seeds_and_variants_come_to_a_study_and_other_settings_do_not(images, made):
    grown = make_plan(request_of(images, seeds=3, vary=["spectral_norm", "hinge"]), made)
    assert grown.study.seeds == (0, 1, 2)
    assert [one.name for one in grown.study.variants][-1] == "hinge"
    assert grown.estimate.done == 3
    assert grown.study.measured == made.read().measured
    with pytest.raises(ConfigError, match=r"holds a study of other settings: base.budget.images was 96 and is now 960"):
        make_plan(request_of(images, budget=Budget(images=960)), made)
    with pytest.raises(ConfigError, match="batch was 8 and is now 4"):
        make_plan(request_of(images, sets=[*SETS, *VARIED, "batch=4"]), made)


def arguments(images: Path, out: Path, *more: str) -> list[str]:
    sets = [word for text in (*SETS, VARIED[0]) for word in ("--set", text)]
    return ["ablate", str(images), "--recipe", "dcgan", "--vary", "spectral_norm", "--seeds", "2", "--images",
            str(LONGER), *sets, "-o", str(out), *more]  # fmt: skip


def results(folder: Path) -> list[tuple]:
    """What may not depend on how the study came about."""
    lines = (folder / "results.jsonl").read_text().splitlines()
    found = [Outcome.model_validate_json(line) for line in lines]
    return [(one.variant, one.seed, one.value, one.floor, one.images, one.state, one.collapsed) for one in found]


@pytest.fixture(scope="module")
def whole(images, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "study"
    done = steadygan(*arguments(images, folder))
    assert done.returncode == 0, done.stderr
    return folder


def stopped(words: list[str], moment: Path, how: signal.Signals, seconds: float) -> int:
    """Start a study, and end it some time after a file is there."""
    process = subprocess.Popen(command(*words), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while process.poll() is None and not moment.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(seconds)
    process.send_signal(how)
    return process.wait()


@pytest.mark.slow
def test_a_study_that_is_killed_ten_times_says_the_same(images, tmp_path, whole):
    folder = tmp_path / "study"
    home, words = StudyFolder(folder), arguments(images, folder, "--jobs", "2")
    moments = [home.study_json, home.run(BASE, 0).files.log, home.run("spectral_norm", 0).files.latest,
               home.finished_json(BASE, 0), home.run(BASE, 1).files.run_json]  # fmt: skip
    chance = random.Random(0)
    for moment in moments:
        for _ in range(2):  # the second time it is there from the beginning, and any moment may come
            stopped(words, moment, signal.SIGKILL, chance.uniform(0, 8))
    last = steadygan(*words)
    assert last.returncode == 0, last.stderr
    assert results(folder) == results(whole)
    same, base = (home.run(name, 1).files.checkpoint(LONGER) for name in (NOTHING, BASE))
    assert fingerprint(same) == fingerprint(base)
    again = steadygan(*words)
    assert "6 of them done" in again.stderr
    assert results(folder) == results(whole)


@pytest.mark.slow
def test_a_study_that_is_asked_to_stop_saves_its_runs_and_leaves_no_job(images, tmp_path):
    folder = tmp_path / "study"
    home = StudyFolder(folder)
    words = [*arguments(images, folder, "--jobs", "1"), "--images", str(1000 * LONGER)]
    assert stopped(words, home.run(BASE, 0).files.log, signal.SIGTERM, 1.0) == 130
    assert home.run(BASE, 0).checkpoint("latest").images == home.run(BASE, 0).log()[-1].images
    with pytest.raises(FileNotFoundError):
        os.stat(home.job_lock(BASE, 0))


@pytest.mark.slow
def test_a_run_that_fails_is_one_row_and_is_tried_again(images, tmp_path, whole):
    folder = tmp_path / "study"
    home, words = StudyFolder(folder), arguments(images, folder)
    make = make_plan(request_of(images, budget=Budget(images=LONGER), sets=[*SETS, VARIED[0]]), home)
    home.write(make.study)
    home.runs.mkdir()
    home.run("spectral_norm", 0).path.write_text("a file where a folder should be")
    done = steadygan(*words, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ended"] == 6
    rows = {row[:2]: row for row in results(folder)}
    assert rows["spectral_norm", 0][5] == "failed"
    assert len(rows) == 6
    home.run("spectral_norm", 0).path.unlink()
    assert steadygan(*words).returncode == 0
    assert results(folder) == results(whole)


@pytest.mark.slow
def test_halving_stops_what_clearly_loses_and_leaves_the_others_as_they_were(images, tmp_path, whole):
    folder = tmp_path / "study"
    words = arguments(images, folder, "--halving", "--set", "optimizer.generator.lr=0.0002,0.3")
    done = steadygan(*words)
    assert done.returncode == 0, done.stderr
    rows = {row[:2]: row for row in results(folder)}
    assert {rows["optimizer.generator.lr=0.3", seed][5] for seed in (0, 1)} == {"stopped early"}
    assert "optimizer.generator.lr=0.3 stops here: after a third" in done.stderr
    kept = [row for row in results(whole) if row[0] in (BASE, NOTHING)]
    assert [rows[row[:2]] for row in kept] == kept


def test_without_ray_one_line_says_how_it_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'steadygan\[ray\]'"):
        RayCluster().ready()


@pytest.fixture(scope="module")
def cluster():
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    found = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}, connect=False
    )
    for _ in range(2):
        try:
            found.add_node(num_cpus=1)
        except Exception:  # noqa: BLE001 - Ray gives a node half a minute, which a busy machine may not
            found.add_node(num_cpus=1)
    yield found
    found.shutdown()


def processes(word: str) -> list[psutil.Process]:
    """Those with a word in their command line."""
    return [one for one in psutil.process_iter(["cmdline"]) if word in " ".join(one.info["cmdline"] or [])]


def workers() -> list[psutil.Process]:
    """Of Ray, that make a run."""
    return [
        one for one in psutil.process_iter(["cmdline"]) if "ray::on_a_worker" in " ".join(one.info["cmdline"] or [])
    ]


@pytest.mark.slow
def test_a_cluster_of_two_machines_that_loses_a_worker_makes_the_study_of_one_machine(
    images,
    tmp_path,
    whole,
    cluster,
    monkeypatch,
):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    folder = tmp_path / "study"
    home, words = StudyFolder(folder), arguments(images, folder, "--engine", "ray")
    process = subprocess.Popen(command(*words), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not home.run(BASE, 0).files.latest.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    found = workers()
    assert len(found) == 2, "a processor each"
    found[0].kill()
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert "2 jobs side by side" in said
    assert results(folder) == results(whole)
    assert not workers()


@pytest.mark.slow
def test_a_study_on_a_cluster_that_is_stopped_leaves_no_job_and_goes_on_here(
    images, tmp_path, whole, cluster, monkeypatch
):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    folder = tmp_path / "study"
    home, words = StudyFolder(folder), arguments(images, folder)
    process = subprocess.Popen(command(*words, "--engine", "ray"), stderr=subprocess.PIPE, text=True)
    while not home.run(BASE, 0).files.log.exists() and process.poll() is None:
        time.sleep(0.05)
    process.terminate()
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert not processes(str(folder))
    assert steadygan(*words).returncode == 0
    assert results(folder) == results(whole)


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_and_one_without_room_are_one_line(images, tmp_path, cluster, monkeypatch):
    words = [*arguments(images, tmp_path / "study", "--engine", "ray"), "--dry-run"]
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    done = steadygan(*words)
    assert done.returncode == 2
    assert "steadygan: no Ray cluster answers at RAY_ADDRESS=127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    done = steadygan(*words, "--set", "runtime.threads=2")
    assert done.returncode == 2
    assert "no machine of the Ray cluster has 2 CPU for a job" in done.stderr


def test_a_mistake_in_python_is_one_of_our_errors_and_leaves_nothing(images, tmp_path):
    for mistake, said in [({"vary": ["spectral_nrom"]}, "spectral_norm"), ({"var": ["r1"]}, "did you mean 'vary'")]:
        with pytest.raises(ConfigError, match=said):
            sg.ablate(images, tmp_path / "study", images=IMAGES, **mistake)
    assert not (tmp_path / "study").exists()


@pytest.mark.slow
def test_a_study_in_python_tells_what_came_out_and_is_made_once(images, tmp_path):
    asked = {"images": IMAGES, "vary": ["spectral_norm"], "sets": SETS, "seeds": 2, "jobs": 1}
    table = sg.ablate(images, tmp_path / "study", "dcgan", **asked)
    assert (table.ended, [one.arm.runs for one in table.effects]) == (4, [2])
    assert "not decided" in str(table)
    before = [file.stat().st_mtime_ns for file in (tmp_path / "study").rglob("finished.json")]
    assert sg.ablate(images, tmp_path / "study", "dcgan", **asked) == table
    assert [file.stat().st_mtime_ns for file in (tmp_path / "study").rglob("finished.json")] == before
