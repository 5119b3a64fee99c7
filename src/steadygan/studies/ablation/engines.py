"""Where the jobs of a study run: as processes here, or on a Ray cluster."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil
import torch

from steadygan.data.pool import cores
from steadygan.errors import ConfigError
from steadygan.studies.ablation.study import Study
from steadygan.studies.processes import on_a_worker, start

_REACH_SECONDS = 10.0
_TRIES_AGAIN = 3  # of a job whose worker was lost; it goes on from its last checkpoint


class JobHandle(Protocol):
    """A job that was started, as `subprocess.Popen` has it; its code is negative if a signal ended it."""

    def poll(self) -> int | None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    def wait(self) -> int: ...


class Engine(Protocol):
    """Where jobs run. Each ends with the program that started it, whatever ended that, and saves its state."""

    def ready(self) -> None:
        """ConfigError if nothing can be started there."""

    def places(self, study: Study, asked: int) -> int:
        """How many jobs go side by side: as `asked`, else as many as there is room for."""

    def start(self, line: Sequence[str], log: Path, study: Study, slot: int) -> JobHandle:
        """Start `steadygan` with the arguments `line`, in one of the places; what it says goes to the end of `log`."""


@dataclass(frozen=True)
class LocalProcesses:
    """Processes of this machine."""

    def ready(self) -> None:
        pass

    def places(self, study: Study, asked: int) -> int:
        """As many as there are processors, GPUs and memory for; one where minutes count and processors are shared,
        since neighbours would slow each other.
        """
        measured, runs = study.measured, len(study.runs())
        if measured.device == "cuda":
            return min(runs, asked or torch.cuda.device_count())
        if study.budget.minutes:
            return asked or 1
        fitting = int(psutil.virtual_memory().available / 2**20 / max(measured.memory_mb, 1))
        processors = max(1, (cores() - (cores() >= 3)) // measured.threads)
        return max(1, min(runs, asked or min(processors, fitting)))

    def start(self, line: Sequence[str], log: Path, study: Study, slot: int) -> JobHandle:
        own = {"CUDA_VISIBLE_DEVICES": _gpu(slot)} if study.measured.device == "cuda" else {}
        return start(line, log, study.measured.threads, own)


@dataclass(frozen=True)
class RayCluster:
    """The machines of a Ray cluster (the extra `ray`), the one that `RAY_ADDRESS` names or that runs here.

    All of them see the study's folder and the images under the same names, and have the same packages. A job whose
    worker is lost is made again elsewhere, from its last checkpoint.
    """

    def ready(self) -> None:
        _cluster()

    def places(self, study: Study, asked: int) -> int:
        """As many as the machines of the cluster have processors or GPUs for. ConfigError if none has."""
        measured, ray = study.measured, _cluster()
        kind, each = ("GPU", 1) if measured.device == "cuda" else ("CPU", measured.threads)
        room = sum(int(node["Resources"].get(kind, 0) // each) for node in ray.nodes() if node["Alive"])
        if not room:
            raise ConfigError(
                f"no machine of the Ray cluster has {each} {kind} for a job; `ray status` shows what is there"
            )
        return min(len(study.runs()), asked or room)

    def start(self, line: Sequence[str], log: Path, study: Study, slot: int) -> JobHandle:
        ray, measured = _cluster(), study.measured
        gpus = int(measured.device == "cuda")
        needs = {"num_cpus": 0 if gpus else measured.threads, "num_gpus": gpus, "max_retries": _TRIES_AGAIN}
        task = ray.remote(**needs)(on_a_worker).remote(list(line), log.absolute(), measured.threads, Path.cwd())
        return _RayJob(ray, task, log)


@dataclass
class _RayJob:
    """A task of Ray as a process; why it came to nothing stands in its log, as if it had said so."""

    ray: Any
    task: Any
    log: Path
    code: int | None = None

    def poll(self) -> int | None:
        return self.wait() if self.ray.wait([self.task], timeout=0)[0] else None

    def terminate(self) -> None:
        self.ray.cancel(self.task)

    def kill(self) -> None:
        self.ray.cancel(self.task, force=True)

    def wait(self) -> int:
        if self.code is None:
            try:
                self.code = int(self.ray.get(self.task))
            except self.ray.exceptions.RayError as problem:
                self.code = 1
                with self.log.open("a", encoding="utf-8") as said:
                    said.write(f"steadygan: Ray gave it up: {_lines(problem)[-1]}\n")
        return self.code


def _gpu(slot: int) -> str:
    """The GPU of a place, of those that this process may use."""
    mine = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return mine[slot % len(mine)] if mine else str(slot)


def _cluster() -> Any:
    """Ray's module, connected; ConfigError says how it is installed, or that no cluster answers."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        import ray
        import ray.exceptions  # which a folder of that name, where one works, has not
    except ImportError as problem:
        raise ConfigError("--engine ray runs jobs on a Ray cluster: pip install 'steadygan[ray]'") from problem
    if not ray.is_initialized():
        try:
            _reached(os.environ.get("RAY_ADDRESS", ""))
            ray.init(logging_level=logging.ERROR, log_to_driver=False, configure_logging=False, include_dashboard=False)
        except Exception as problem:  # Ray raises bare ones, too
            where = " at RAY_ADDRESS=" + os.environ["RAY_ADDRESS"] if "RAY_ADDRESS" in os.environ else ""
            raise ConfigError(
                f"no Ray cluster answers{where} ({_lines(problem)[0]}); start one with `ray start --head`, "
                "or leave --engine out"
            ) from problem
    return ray


def _lines(problem: Exception) -> list[str]:
    return str(problem).strip().splitlines() or [type(problem).__name__]


def _reached(address: str) -> None:
    """OSError if nobody listens there, which Ray itself takes minutes to find."""
    host, _, port = address.rpartition(":")
    if port.isdigit() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_SECONDS).close()
