"""What a machine is asked, on a processor and with next to nothing in it."""

from __future__ import annotations

import json
import math
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import steadygan as sg
from steadygan.cli.main import main
from steadygan.recipes import RECIPES
from steadygan.recipes.modern import steady
from steadygan.studies import bench_device as study
from steadygan.studies.bench_device import Scope, bench_device
from steadygan.studies.device import checks, memory, speed, timing
from steadygan.studies.device.picture import save_device_picture
from steadygan.studies.device.report import LEFT_OUT, TITLES, DeviceReport, MemoryRow, RecipeRow
from steadygan.studies.device.timing import Allowance, OutOfTime, attempt, filled, in_turn
from steadygan.training.runtime import Choices, Runtime

TINY = Scope(
    recipes=("steady", "ring"),
    main=("steady",),
    several=("steady",),
    size=16,
    sizes=(16,),
    compared_size=16,
    batches=(2, 4),
)
ENOUGH = 1000.0  # minutes


def narrow(facts):
    """The default recipe with next to no networks, and few images a step."""
    config = steady(facts)
    networks = config.networks.model_copy(update={"width": 4, "max_width": 8, "latent_dim": 8})
    return config.model_copy(update={"networks": networks, "batch": 8})


def hurry(patch):
    """Small matrices and networks, one round, and no compiler."""
    patch.setattr(study, "_MATRIX", 64)
    patch.setattr(timing, "_ROUNDS", 1)
    patch.setattr(speed, "_COMPILING", 1e9)
    patch.setitem(RECIPES, "steady", narrow)


@pytest.fixture
def quick(monkeypatch):
    hurry(monkeypatch)


@pytest.fixture(scope="module")
def found():
    """A whole report, and what was said meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        said: list[str] = []
        return bench_device("cpu", ENOUGH, said.append, TINY), said


@pytest.fixture
def runtime():
    return Runtime(Choices("cpu", "float32", "channels_last", 1, 1))


@pytest.mark.slow
def test_every_question_is_answered_with_figures(found):
    report, _ = found
    compiled = [row for row in report.ways if row.way == "torch.compile"]
    assert [row.reason[: len(LEFT_OUT)] for row in compiled] == [LEFT_OUT]
    rest = [row for name in TITLES for row in report.rows(name) if row not in compiled]
    assert [row.reason for row in rest] == [""] * len(rest)
    assert [(row.recipe, row.size) for row in report.recipes] == [("steady", 16), ("ring", 1)]
    assert [(row.recipe, row.size) for row in report.steps] == [("steady", 16), ("ring", 1)]
    assert [row.exact for row in report.resume] == [True]
    assert [row.batch for row in report.memory] == [2, 4]
    assert 0 < report.memory[0].peak_mib <= report.memory[1].peak_mib


@pytest.mark.slow
def test_figures_of_one_step_agree(found):
    report, _ = found
    for row in report.steps:
        assert row.step_ms * row.images_per_second / 1000 == pytest.approx(row.batch, rel=0.01)
        assert row.million_seconds == pytest.approx(1e6 / row.images_per_second, rel=0.01)
    shipped, *others = [row for row in report.ways if row.gain]
    assert (shipped.way, shipped.gain) == ("as shipped", 1.0)
    for row in others:
        assert row.gain == pytest.approx(row.images_per_second / row.shipped_images_per_second, rel=0.01)


@pytest.mark.slow
def test_all_that_the_text_says_was_said_before_and_is_in_the_json(found):
    report, said = found
    again = DeviceReport.model_validate_json(report.model_dump_json())
    text = report.table()
    assert again.table() == text
    for name, title in TITLES.items():
        assert title in text
        for row in report.rows(name):
            assert f"  {row.name()}: {row.words()}" in said
            assert row.words() in text
    assert "exact: 8 steps" in text
    assert f"PyTorch {torch.__version__}" in text


def test_without_time_everything_is_left_out_and_named(quick, tmp_path):
    report = bench_device("cpu", 1e-6, scope=TINY)
    rows = [row for name in TITLES for row in report.rows(name)]
    assert len(rows) == 2 + 1 + 1 + 2 + 2 + 4
    assert len(report.left_out) == len(rows)
    assert f"no time for {len(rows)} answers" in report.table()
    assert report.chosen.choices["device"] == "cpu"
    save_device_picture(report, tmp_path / "device.png")
    assert drawn(tmp_path / "device.png").mean() > 200


def drawn(path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.size == (1200, 1000)
        return np.asarray(picture.convert("L"))


@pytest.mark.slow
def test_the_picture_has_an_ink_in_every_panel(found, tmp_path):
    save_device_picture(found[0], tmp_path / "device.png")
    pixels = drawn(tmp_path / "device.png")
    for part in (pixels[:240], pixels[260:600, :600], pixels[260:600, 600:], pixels[620:, :600], pixels[620:, 600:]):
        assert 0.005 < (part < 200).mean() < 0.4


@pytest.mark.slow
def test_a_recipe_that_fails_is_one_line_and_the_others_go_on(quick, monkeypatch):
    def broken(facts):
        raise RuntimeError("no kernel image\nis available " + "x " * 300)

    monkeypatch.setitem(RECIPES, "dcgan", broken)
    scope = TINY.model_copy(update={"recipes": ("dcgan", "ring"), "main": ("dcgan",), "several": ("dcgan",)})
    report = bench_device("cpu", ENOUGH, scope=scope)
    assert report.recipes[1].reason == ""
    assert report.steps[1].million_seconds > 0
    for name in TITLES.keys() - {"memory"}:  # that is measured in another process, where nothing is broken
        reason = report.rows(name)[0].reason
        assert reason.startswith("RuntimeError: no kernel image is available x x"), (name, reason)
        assert len(reason) <= 160


def test_gradients_that_are_not_finite_are_no_success(runtime, monkeypatch):
    monkeypatch.setattr(checks, "noise", lambda config, *_: (torch.full((config.batch, 3, 16, 16), math.nan),))
    row = RecipeRow(recipe="steady")
    row = filled(row, lambda: checks.check_recipe(row, runtime, Allowance.of(math.inf)))
    assert row.reason == "a gradient was not finite"


def test_the_difference_of_two_checkpoints_is_the_largest_of_any_number():
    one = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3]), "empty": torch.ones(0)}
    assert checks.difference(one, one)[0] == 0
    assert checks.difference(one, one | {"a": torch.tensor([1.0, 2.5]), "b": torch.tensor([1])}) == (2.0, "b")
    for other in ({"a": torch.tensor([1.0, math.nan])}, {"a": torch.ones(3)}, {"new": torch.ones(1)}):
        assert checks.difference(one, one | other)[0] == math.inf
    same = {"a": torch.tensor([math.nan])}
    assert checks.difference(same, same)[0] == 0


def test_a_resume_that_is_off_says_by_how_much_and_whether_the_device_repeats_itself(runtime, monkeypatch, tmp_path):
    saved = {"whole": 1.0, "broken": 1.5, "again": 0.75}
    info = SimpleNamespace(config={"batch": 32})
    ran = lambda recipe, size, runtime, out, steps: SimpleNamespace(path=out, info=lambda: info)  # noqa: E731
    monkeypatch.setattr(checks, "_trained", ran)
    monkeypatch.setattr(checks, "resume", lambda path, budget, console: None)
    kind = lambda run: run.path.name.partition("-")[0]  # noqa: E731
    monkeypatch.setattr(checks, "_tensors", lambda run: {"generator.a": torch.full((3,), saved[kind(run)])})
    row = checks.ResumeRow(recipe="steady", size=16)
    row = filled(row, lambda: checks.check_resume(row, runtime, tmp_path, Allowance.of(math.inf)))
    assert (row.exact, row.largest_difference, row.tensor, row.repeat_difference) == (False, 0.5, "generator.a", 0.25)
    assert "are off by up to 0.5 (in generator.a); the same run twice without a stop by 0.25" in row.words()


def test_nothing_is_begun_that_does_not_fit_into_what_is_left(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    allowance = Allowance.of(60)
    half = allowance.part(0.5)
    half.need(29)
    with pytest.raises(OutOfTime, match="about 31 s, and 30 s were left"):
        half.need(31)
    now[0] += 45
    assert (allowance.left, half.left) == (15, 0)
    allowance.limited(lambda: ("kind", 1))()
    with pytest.raises(OutOfTime, match="time was up"):
        half.limited(lambda: ("kind", 1))()
    assert attempt(half.need) == "left out: its time was up"


def test_ways_take_turns_and_the_best_round_of_each_counts(monkeypatch):
    rates = {"one": iter([3.0, 5.0, 4.0]), "two": iter([2.0, OutOfTime("enough")]), "three": iter([ValueError("no")])}
    played = []

    def measured(play, steps):
        played.append(play)
        found = next(rates[play])
        if isinstance(found, Exception):
            raise found
        return found, steps

    monkeypatch.setattr(timing, "measured_rate", measured)
    assert in_turn({name: name for name in rates}, 7) == {"one": (5.0, 7), "two": (2.0, 7), "three": "ValueError: no"}
    assert played == ["one", "two", "three", "one", "two", "one"]


def test_what_is_known_of_smaller_images_spares_a_step_that_would_take_too_long(runtime, monkeypatch):
    monkeypatch.setattr(timing.time, "perf_counter", lambda: 0.0)
    monkeypatch.setattr(timing, "settle_convolutions", lambda *_: None)
    wanted, known = speed.StepRow(recipe="dcgan", size=64), speed.StepRow(recipe="dcgan", size=32, step_ms=1000)
    monkeypatch.setattr(speed, "measured_rate", lambda play, steps: (8.0, 64.0))
    with pytest.raises(OutOfTime, match="about 20 s, and 19 s"):  # 3 steps and 2 before them, each four times as long
        speed.time_step(wanted, runtime, Allowance(19.0), known)
    assert speed.time_step(wanted, runtime, Allowance(21.0), known)["step_ms"] == 8000
    few = RecipeRow(recipe="dcgan", size=16, batch=8, step_ms=1000)
    with pytest.raises(OutOfTime, match="about 40 s, and 39 s"):  # eight times as many images, of whatever size
        speed.time_step(wanted, runtime, Allowance(39.0), few)


def test_a_gpu_is_asked_for_more_ways(runtime):
    on_cuda = SimpleNamespace(device=torch.device("cuda"), choices=runtime.choices)
    assert [(way.name, way.tf32, way.benchmark) for way in speed.variants(on_cuda)] == [
        ("as shipped", None, None),
        ("float32", False, None),
        ("TF32", True, None),
        ("bfloat16", None, None),
        ("channels_first", None, None),
        ("cudnn.benchmark", None, True),
    ]
    assert [way.name for way in speed.variants(runtime)] == ["as shipped", "bfloat16", "channels_first"]
    assert Scope.of("cuda").sizes[-1] == 256


def test_the_switches_of_a_way_hold_for_its_steps_alone(runtime):
    places = [(torch.backends.cudnn, "allow_tf32"), (torch.backends.cuda.matmul, "allow_tf32")]
    places.append((torch.backends.cudnn, "benchmark"))
    before = [getattr(*place) for place in places]
    for wanted in (True, False):
        with speed._switched(speed.Variant("TF32", runtime, tf32=wanted)):
            assert [getattr(*place) for place in places] == [wanted, wanted, before[2]]
        with speed._switched(speed.Variant("cudnn.benchmark", runtime, benchmark=wanted)):
            assert [getattr(*place) for place in places] == [*before[:2], wanted]
    assert [getattr(*place) for place in places] == before


def test_a_process_that_is_ended_leaves_what_it_had_measured(runtime, monkeypatch):
    row = MemoryRow(recipe="steady", size=16, batch=2, peak_mib=300).model_dump_json()
    ended = f"import os\nprint({row!r}, flush=True)\nos.kill(os.getpid(), {int(signal.SIGKILL)})"
    monkeypatch.setattr(memory, "_CHILD", ended)
    rows = memory.memory_by_batch(MemoryRow(recipe="steady", size=16), [2, 4], runtime, Allowance.of(1e6))
    assert (rows[0].peak_mib, rows[0].reason) == (300, "")
    assert (rows[1].peak_mib, rows[1].batch) == (None, 4)
    assert "SIGKILL" in rows[1].reason


def test_memory_that_may_not_suffice_is_not_used_up(runtime):
    before = MemoryRow(recipe="steady", size=16, batch=2, peak_mib=1e9)
    row = MemoryRow(recipe="steady", size=16, batch=4)
    row = filled(row, lambda: memory._peak(row, runtime, before))
    assert row.reason.startswith("it may take 2,000,000,000 MiB, and ")


def test_the_command_prints_a_table_or_json_and_draws(quick, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    line = "bench device --device cpu --minutes 0.000001 -o device.png"
    for options in ([], ["--json"]):
        with pytest.raises(SystemExit) as left:
            main([*line.split(), *options])
        assert not left.value.code
        said = capsys.readouterr()
        assert "does every recipe run" in said.err
        drawn(tmp_path / "device.png")
        if options:
            assert json.loads(said.out)["left_out"]
        else:
            assert "a step as shipped\n" in said.out


def test_the_peak_is_two_operations_for_each_number_of_a_product(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(study.time, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(study, "_MATRIX", 100)
    assert study.matrix_peak_gflops(torch.device("cpu"), "float32") == pytest.approx(2 * 100**3 / 1e9)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(sg.ConfigError, match="no cuda"):
        bench_device("cuda")


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore")  # the compiler warns of itself
def test_on_cuda_every_recipe_runs_and_every_question_has_its_figures(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(f"bench device --device cuda --minutes 9 --json -o {tmp_path / 'device.png'}".split())
    assert not left.value.code
    found = DeviceReport.model_validate_json(capsys.readouterr().out)
    assert [row.name() + ": " + row.reason for row in found.recipes if row.reason] == []
    assert found.chosen.choices["device"] == "cuda"
    for name in TITLES:
        assert [row for row in found.rows(name) if not row.reason], name
    assert {row.way for row in found.ways} >= {"TF32", "cudnn.benchmark"}
    drawn(tmp_path / "device.png")
