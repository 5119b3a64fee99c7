from __future__ import annotations

import os
import shutil
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from steadygan.data import pool
from steadygan.data.pool import Pool, cores
from steadygan.errors import ConfigError


@dataclass(frozen=True)
class Square:
    """A task for the pool: the square of a number; 13 kills the process, 17 is a mistake, 19 never ends."""

    number: int
    seconds: float = 600.0

    def run(self) -> int:
        while self.number == 19:
            zlib.compress(bytes(10**8))  # not in Python: no signal handler would be heard
        if self.number == 13:
            os._exit(1)
        if self.number == 17:
            raise ConfigError("17 is a mistake")
        return self.number**2

    def lost(self) -> int:
        return -self.number


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], Any]:
    """`Square` from a module that another process can import."""
    text = Path(__file__).read_text().split("@dataclass(frozen=True)\n")[1].split("@pytest.fixture")[0]
    head = "import os, zlib\nfrom dataclasses import dataclass\nfrom steadygan.errors import ConfigError\n@dataclass\n"
    (tmp_path / "squares.py").write_text(head + text)
    monkeypatch.syspath_prepend(tmp_path)
    from squares import Square as Importable  # type: ignore[import-not-found]

    return Importable  # type: ignore[no-any-return]


@pytest.mark.parametrize("at_once", [False, True])
def test_a_file_that_kills_the_decoder_costs_only_itself(importable: Callable[[int], Any], at_once: bool) -> None:
    groups = [[importable(number) for number in range(start, start + 5)] for start in range(0, 20, 5) if start != 15]
    with Pool[int](2, at_once) as pool:
        found = [result for group in pool.run(groups) for result in group]
    assert found == [number**2 if number != 13 else -13 for number in range(15)]


@pytest.mark.parametrize("at_once", [False, True])
def test_little_work_starts_one_process(
    importable: Callable[[int], Any], at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    popen = pool.subprocess.Popen
    monkeypatch.setattr(
        pool.subprocess, "Popen", lambda *words, **how: started.append(popen(*words, **how)) or started[-1]
    )
    with Pool[int](3, at_once) as workers:
        assert len(started) == at_once
        for number in range(4):
            assert list(workers.run([[importable(number)]])) == [[number**2]]
        assert len(started) == 1
        assert list(workers.run([[importable(19, seconds=0.5)]] * 2)) == [[-19]] * 2
        assert len(started) == 2, "one after the other"


def test_a_task_that_never_ends_is_given_up(importable: Callable[[int], Any]) -> None:
    with Pool[int](2) as pool:
        found = [
            result
            for group in pool.run([[importable(18), importable(19, seconds=0.2), importable(20)]])
            for result in group
        ]
    assert found == [324, -19, 400]


def test_an_error_in_a_worker_is_raised_where_the_work_was_asked_for(importable: Callable[[int], Any]) -> None:
    with Pool[int](2) as pool, pytest.raises(ConfigError, match="17 is a mistake"):
        list(pool.run([[importable(1)], [importable(17)]]))


def test_a_worker_that_cannot_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("true"))
    with Pool[int](1) as pool, pytest.raises(ConfigError, match="cannot start a worker process"):
        list(pool.run([[Square(1)]]))


def test_at_least_one_core_is_counted() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "max 100000\n"}, 2),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "50000 100000\n"}, 0.5),
        ("3:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "300000", "cpu/a/cpu.cfs_period_us": "100000"}, 3),
        ("3:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("3:memory:/a\n", {"cpu/a/cpu.cfs_quota_us": "300000", "cpu/a/cpu.cfs_period_us": "100000"}, None),
        ("nonsense", {"cpu.max": "0 0"}, None),
        ("0::/\n", {"cpu.max": ""}, None),
    ],
)
def test_the_cores_that_a_container_may_use_are_read_from_its_control_groups(
    tmp_path: Path, groups: str, files: dict[str, str], expected: float | None
) -> None:
    (tmp_path / "own").write_text(groups)
    for name, content in files.items():
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_text(content)
    found = pool._paid_for(tmp_path / "root", tmp_path / "own")
    assert found == (expected or pool._ANY)


def test_half_a_core_more_counts_as_a_core_and_none_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for paid, expected in ((1.5, 2), (0.2, 1), (pool._ANY, 8)):
        monkeypatch.setattr(pool, "_paid_for", lambda paid=paid: paid)
        monkeypatch.setattr("os.sched_getaffinity", lambda _: range(8), raising=False)
        monkeypatch.setattr(sys, "platform", "linux")
        assert cores() == expected
