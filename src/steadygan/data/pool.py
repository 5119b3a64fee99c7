"""Work spread over processes of our own, which a broken image may bring down without harm.

The processes import this package and nothing of the program that started them. A `multiprocessing` pool
would run the user's script a second time in each (spawn, forkserver), or copy a process in which torch
already has threads (fork).
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import LifoQueue
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar, cast

from steadygan.errors import ConfigError
from steadygan.terminal import STOPPING

R = TypeVar("R")
Result = TypeVar("Result", covariant=True)

_BOOT = "from steadygan.data.pool import serve; serve()"
_ANY = 2**20  # cores: more than there are
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Task(Protocol[Result]):
    """A piece of work that can be sent to another process.

    If it has a number `seconds`, a process that takes longer over it is ended, as if the task had killed it.
    """

    def run(self) -> Result:
        """Do it."""
        ...

    def lost(self) -> Result:
        """What to say if the process died of it."""
        ...


def cores() -> int:
    """Processor cores that this process may use: those it is bound to, and no more than its control group pays for."""
    bound = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(bound, math.ceil(_paid_for())))


def _paid_for(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float:
    """Cores' worth of time that a container or a service may use, by Linux's control groups of both versions."""
    allowed = [float(_ANY)]
    with suppress(OSError, ValueError):
        for line in own.read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds and "cpu" not in kinds.split(","):
                continue
            group = (root / "cpu" if kinds else root) / path.strip("/")
            above = (group, *group.parents)  # a group may use no more than those above it
            allowed += [_share_of(folder) for folder in above if folder.is_relative_to(root)]
    return min(allowed)


def _share_of(group: Path) -> float:
    """Quota by period of one control group: `cpu.max`, or two files in the first version."""
    with suppress(OSError, ValueError):
        if (group / "cpu.max").exists():
            quota, period = map(float, (group / "cpu.max").read_text().split())  # "max" is no number
        else:
            quota, period = (float((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        if quota > 0 and period > 0:
            return quota / period
    return float(_ANY)


def run_tasks(tasks: Iterable[Sequence[Task[R]]], workers: int) -> Iterator[list[R]]:
    """The results of each group of tasks, in order, from `workers` processes of their own."""
    with Pool[R](workers) as pool:
        yield from pool.run(tasks)


class Pool(Generic[R]):
    """Processes, and one thread for each that hands it work and waits for the result. Use it in `with`.

    With 0 workers everything runs in this process. Each process starts when it is first needed, and none as long as
    one is idle: a small set needs a single one. `at_once` starts that now, so that it is ready when the work is known.
    """

    def __init__(self, workers: int, at_once: bool = False) -> None:
        self._workers = workers
        self._idle: LifoQueue[_Child | None] = LifoQueue()
        for left in reversed(range(workers)):
            self._idle.put(_Child() if at_once and left == 0 else None)
        self._threads = ThreadPoolExecutor(max(workers, 1), thread_name_prefix="prepare")

    def __enter__(self) -> Pool[R]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)
        for _ in range(self._workers):
            if child := self._idle.get():
                child.close()

    def run(self, tasks: Iterable[Sequence[Task[R]]]) -> Iterator[list[R]]:
        """The results of each group of tasks, in order; each process works ahead by two groups.

        An exception of a task is raised here.
        """
        if self._workers == 0:
            yield from ([task.run() for task in group] for group in tasks)
            return
        waiting: deque[Future[list[R]]] = deque()
        for group in tasks:
            waiting.append(self._threads.submit(self._run, group))
            if len(waiting) > 2 * self._workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _run(self, group: Sequence[Task[R]]) -> list[R]:
        child = self._idle.get()
        try:
            child = child or _Child()
            answer = child.ask(group)
        except (EOFError, OSError, pickle.UnpicklingError):
            if child:
                child.close()
            child, answer = None, None
        finally:
            self._idle.put(child)
        if isinstance(answer, Exception):
            raise answer
        return cast("list[R]", answer) if answer is not None else self._one_by_one(group)

    def _one_by_one(self, group: Sequence[Task[R]]) -> list[R]:
        if len(group) == 1:
            return [group[0].lost()]
        return [result for task in group for result in self._run([task])]


class _Child:
    """A process that runs `serve`."""

    def __init__(self) -> None:
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the C libraries below Pillow print about damaged files
            env=os.environ | _ONE_THREAD | {"PYTHONPATH": paths},
        )
        self._answered = False

    def ask(self, group: Sequence[Task[Any]]) -> object:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        if not self._answered and stdout.read(1) != b"!":
            raise ConfigError(f"cannot start a worker process with {sys.executable}; use 0 workers to do without")
        self._answered = True
        pickle.dump(group, stdin)
        stdin.flush()
        return pickle.load(stdout)

    def close(self) -> None:
        """End it at once; between two answers it has nothing to lose."""
        self._process.kill()
        self._process.wait()
        for pipe in filter(None, (self._process.stdin, self._process.stdout)):
            with suppress(OSError):
                pipe.close()


def serve() -> None:
    """Run the groups of tasks that come in on standard input until it ends; results go out on standard output."""
    for number in STOPPING:  # Ctrl-C and its like are for the parent, which then ends us
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing printed may come between the answers
    answers.write(b"!")
    answers.flush()
    while True:
        try:
            group = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(_results(group), answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()


def _results(group: Sequence[Task[R]]) -> list[R] | Exception:
    try:
        return [_within(task) for task in group]
    except Exception as problem:  # noqa: BLE001  raised again in the parent
        return problem


def _within(task: Task[R]) -> R:
    """Do a task; the system ends this process if it takes longer than `task.seconds`, wherever it hangs."""
    limit = getattr(task, "seconds", None)
    if limit is None or not hasattr(signal, "setitimer"):
        return task.run()
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        return task.run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
