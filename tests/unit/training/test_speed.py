"""How a run chooses threads, precision and layout: what it asks, measures, remembers and forgets."""

from __future__ import annotations

import json
import os
from itertools import cycle
from typing import ClassVar

import pytest
import torch

from steadygan.training import runtime, speed
from steadygan.training import threads as threads_module
from steadygan.training.config import RuntimeSettings
from steadygan.training.runtime import choose
from steadygan.training.threads import threads_for

WAYS = [("bfloat16", "channels_last"), ("float32", "channels_last")]


@pytest.mark.parametrize(("processors", "threads"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (64, 63)])
def test_one_processor_stays_free_from_three_up(processors, threads):
    assert threads_for(processors) == threads


@pytest.mark.parametrize(
    ("processors", "processes", "omp_threads", "threads"),
    [(8, 2, "", 3), (8, 3, "", 2), (2, 4, "", 1), (8, 1, "5", 5), (8, 1, "1", 1), (8, 2, "1", 3), (8, 2, "2", 2)]
    + [(4, 1, text, 3) for text in ("", "0", "many", "-2")]
    + [(4, 1, "2,1", 2)],
)
def test_processes_share_the_threads_and_the_users_own_number_comes_first(processors, processes, omp_threads, threads):
    assert threads_for(processors, processes, omp_threads) == threads


def test_threads_asked_for_are_taken_and_else_those_of_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert [threads_module.choose_threads(asked) for asked in (0, 2)] == [3, 2]
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(threads_module, "cores", lambda: 9)
    assert threads_module.choose_threads(0) == 4


def flags(*names: str) -> str:
    return f"model name\t: A Processor\nflags\t\t: fpu {' '.join(names)} lm\n"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (flags("avx2"), False),
        (flags("avx512f"), False),
        (flags("avx512f", "avx512_bf16"), True),
        (flags("amx_bf16"), True),
        ("processor : 0\nFeatures\t: fp asimd bf16\n", True),
        ("processor : 0\nFeatures\t: fp asimd\n", False),
        ("", None),
        ("model name : bf16\n", None),
    ],
)
def test_a_processor_says_whether_it_has_bfloat16(text, answer):
    assert speed._says_bfloat16(text) is answer


def test_ways_take_turns_and_a_busy_moment_does_not_decide():
    """The machine is busy while the first rounds of each way are measured; the true times are 1 and 2."""
    asked = []

    def once(way):
        asked.append(way)
        return (1 if way == WAYS[0] else 2) * (9 if len(asked) < 8 else 1)

    best, settled = speed.measured(WAYS, once)
    assert best == {WAYS[0]: 1, WAYS[1]: 2}
    assert settled
    assert asked == [way for way, _ in zip(cycle(WAYS), asked, strict=False)]
    assert len(asked) == 2 * 6, "until each best was come near twice, and no longer"


def test_times_that_never_settle_are_said_to_be_so_and_end():
    halves = iter(0.5**number for number in range(1000))
    assert not speed.measured(WAYS, lambda way: next(halves))[1]
    assert next(halves) == 0.5 ** (2 * speed._MOST)


@pytest.fixture
def passes(monkeypatch, tmp_path):
    """Seconds of a pass by precision and layout, to be set; `count` says how many were measured."""
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(runtime, "has_bfloat16", lambda _: True)

    class Passes:
        seconds: ClassVar = {"float32": 2.0, "bfloat16": 1.0, "channels_first": 1.0, "channels_last": 1.0}
        count = 0

        def __call__(self, _device, precision, layout):
            self.count += 1
            return self.seconds[precision] * self.seconds[layout]

    found = Passes()
    monkeypatch.setattr(speed, "_pass_seconds", found)
    return found


def chosen(**settings):
    return choose(RuntimeSettings(device="cpu", threads=torch.get_num_threads(), **settings))


def test_bfloat16_is_taken_where_it_is_faster_and_channels_last_unless_it_is_slower(passes):
    first = chosen()
    assert (first.precision, first.layout, first.bfloat16_gain) == ("bfloat16", "channels_last", 2.0)
    passes.seconds = passes.seconds | {"bfloat16": 1.8, "channels_first": 0.5}
    os.environ["STEADYGAN_CACHE"] += "-new"
    other = chosen()
    assert (other.precision, other.layout) == ("float32", "channels_first")
    assert (other.bfloat16_gain, other.channels_last_gain) == (1.11, 0.5)


def test_what_was_measured_is_remembered_until_the_file_is_deleted(passes, tmp_path):
    first = chosen()
    measured = passes.count
    passes.seconds["bfloat16"] = 9.0
    assert chosen() == first
    assert passes.count == measured
    [file] = (tmp_path / "cache" / "speeds").iterdir()
    assert json.loads(file.read_text())["torch"] == torch.__version__
    file.unlink()
    assert chosen().precision == "float32"


@pytest.mark.parametrize(
    ("name", "value"), [("cores", lambda: 77), ("name_of", lambda _: "another"), ("torch.__version__", "99.0")]
)
def test_another_machine_or_release_is_measured_anew(passes, monkeypatch, name, value):
    chosen()
    measured = passes.count
    where = f"steadygan.training.speed.{name}" if "." not in name else name
    monkeypatch.setattr(where, value)
    chosen()
    assert passes.count == 2 * measured


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"5", b"\xff\xfe", b'{"seconds": 3}', b'{"seconds": {}}', "zero", "words", "infinite"]
)
def test_a_damaged_memory_is_measured_again_and_mended(passes, tmp_path, content):
    first = chosen()
    measured = passes.count
    [file] = (tmp_path / "cache" / "speeds").iterdir()
    good = json.loads(file.read_text())
    wrong = {"zero": 0, "words": "x", "infinite": float("inf")}
    if isinstance(content, str):
        content = json.dumps({"seconds": dict.fromkeys(good["seconds"], wrong[content])}).encode()
    file.write_bytes(content)
    assert chosen() == first
    assert passes.count == 2 * measured
    assert json.loads(file.read_text()) == good


def test_a_cache_that_cannot_be_written_or_found_is_no_error(passes, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert chosen().precision == "bfloat16"
    monkeypatch.setattr(speed, "cache_folder", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert chosen().precision == "bfloat16"


def test_what_did_not_settle_is_not_remembered(passes, tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "measured", lambda ways, once: (dict.fromkeys(ways, 1.0), False))
    assert chosen().precision == "float32"
    assert not (tmp_path / "cache").exists()


def test_a_processor_without_bfloat16_is_not_tried_with_it(passes, monkeypatch):
    monkeypatch.setattr(runtime, "has_bfloat16", lambda _: False)
    asked = []
    monkeypatch.setattr(speed, "_pass_seconds", lambda _device, precision, _layout: asked.append(precision) or 1.0)
    assert chosen().precision == "float32"
    assert set(asked) == {"float32"}


def test_what_is_told_is_not_measured(passes):
    told = chosen(precision="bfloat16", layout="channels_first")
    assert (told.precision, told.layout, passes.count) == ("bfloat16", "channels_first", 0)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_pass_takes_time_in_each_precision_and_layout(precision):
    assert all(speed._pass_seconds("cpu", precision, layout) > 0 for layout in speed.LAYOUTS)
