"""What all tests share: the same random numbers for each, and no trace of them outside their own folders."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

# One thread for this process and for each that a test starts: the tests run beside each other, and threads of several
# processes wait for each other. Libraries read this when they are loaded, so it comes before them.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import hypothesis
import numpy as np
import pytest

from steadygan.rundir import atomic_path
from steadygan.visual.curves import save_curves
from tiny import TINY, draw

# What a script starts with `&` ignores Ctrl-C, and so does all that it starts; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Examples are the same on every machine, none is kept in a folder, and a busy machine is no failure.
hypothesis.settings.register_profile("steady", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("steady")

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", autouse=True)
def _what_stays_to_the_end_is_looked_through_once() -> None:
    """Every run tidies up; it need not look through what was collected and loaded before, which is never left."""
    if len(gc.get_objects()) > 50_000:
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _same_random_numbers_for_every_test() -> None:
    """Tests give the same result alone, together and in any order."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - code under test may use the old global generator
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(0)  # not `manual_seed`: that notes the stack for CUDA, 1 ms
        sys.modules["torch"].set_flush_denormal(False)  # training turns it on, and hypothesis minds
        sys.modules["torch"].set_num_threads(1)  # training sets it, too


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests prepare, and fixtures of whole modules, stays out of the user's cache; one serves the session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEADYGAN_CACHE", str(tmp_path_factory.getbasetemp() / "steadygan-cache"))
        yield


class Drawn:
    """Curves, which take longer than the run they are of: the first picture, copied."""

    picture = b""

    def __call__(self, log: Any, path: Path, *marks: Any) -> None:
        with atomic_path(path) as part:
            if not self.picture:
                save_curves(log, part, *marks)
                self.picture = part.read_bytes()
            part.write_bytes(self.picture)


@pytest.fixture(scope="session")
def _abridged() -> dict[str, tuple[Any, Any]]:
    """What runs do beside their steps, whole and in short; nothing where no test trains: torch is long to load."""
    if "torch" not in sys.modules:
        return {}
    from steadygan.training import scores, trial

    return {
        "steadygan.training.listeners.save_curves": (save_curves, Drawn()),
        "steadygan.training.scores._REALS": (scores._REALS, 40),
        "steadygan.training.trial._REPEATS": (trial._REPEATS, 1),
        "steadygan.training.trial._LONGEST_PERIOD": (trial._LONGEST_PERIOD, 2),
    }


@pytest.fixture(scope="session", autouse=True)
def _runs_in_this_process_are_abridged(_abridged: dict[str, tuple[Any, Any]]) -> Iterator[None]:
    """Most tests that train ask for nothing of this."""
    with pytest.MonkeyPatch.context() as patch:
        for name, (_, short) in _abridged.items():
            patch.setattr(name, short)
        yield


@pytest.fixture(scope="session")
def unabridged(_abridged: dict[str, tuple[Any, Any]]) -> Callable[[], AbstractContextManager[None]]:
    """Within `with unabridged():` runs are as those of users."""

    @contextmanager
    def whole() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name, (usual, _) in _abridged.items():
                patch.setattr(name, usual)
            yield

    return whole


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images next to the project; tests that want them are skipped where it is absent."""
    folder = PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs real images in {folder.relative_to(PROJECT.parent)} next to the project")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 120 small drawings."""
    return draw(tmp_path_factory.mktemp("pictures") / "squares", 120)


@pytest.fixture(scope="session")
def painted_run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run on them of some steps, whose generator makes pictures of 16 pixels from 8 numbers."""
    from steadygan.recipes import configure
    from steadygan.training.console import Silent
    from steadygan.training.run import train

    settings = {**TINY, "size": 16, "budget": {"steps": 8}}
    folder = tmp_path_factory.mktemp("runs")
    return train(configure(pictures, settings=settings), folder / "painted", Silent()).path
