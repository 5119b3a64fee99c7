"""Run folders to look at, and a studio over them without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason='needs the studio: pip install "steadygan[studio]"')
from PIL import Image
from starlette.testclient import TestClient

from steadygan.web.app import create_app
from steadygan.web.studio import Studio, id_of

NAMED = "http://127.0.0.1:8765"
Maker = Callable[..., Path]


def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """What it gives, by a loop in a thread of its own: a browser of other tests may have left one running in this."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def tick(images: int, **other: Any) -> dict[str, Any]:
    names = ("loss_d", "loss_g", "d_real", "d_fake", "accuracy_real", "accuracy_fake", "grad_norm_d", "grad_norm_g")
    plain = dict.fromkeys((*names, "lr_d", "lr_g", "images_per_second"), 1.0)
    return plain | {"step": images // 4, "images": images, "seconds": images / 100} | other


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def make_run(folder: Path, ticks: int = 3, info: dict[str, Any] | None = None, end: str = "finished after") -> Path:
    """A run that has seen 400 images a tick, with a grid after each."""
    (folder / "samples").mkdir(parents=True)
    plain = {
        "created": "2026-01-01T10:00:00+00:00",
        "recipe": "dcgan",
        "config": {"batch": 4, "budget": {"images": 400 * ticks}},
        "parameters": {"generator": 3},
        "data": {"source": "squares", "digest": "d" * 64, "count": 120, "spec": {"size": 16, "channels": 3}},
    }
    (folder / "run.json").write_text(json.dumps(plain | (info or {})))
    (folder / "log.jsonl").write_text(lines(*(tick(400 * at) for at in range(1, ticks + 1))))
    notes = [{"step": 0, "images": 0, "text": "started: about 4 s"}]
    (folder / "notes.jsonl").write_text(lines(*notes, {"step": 1, "images": 400 * ticks, "text": end}))
    for at in range(1, ticks + 1):
        Image.new("RGB", (32, 32), (at % 256, 90, 160)).save(folder / f"samples/{400 * at:09d}.png")
    return folder


def score(images: int, value: float, protocol: str = "fd-1 n=64; picks the best", metric: str = "fd") -> dict[str, Any]:
    return {"step": images // 4, "images": images, "metric": metric, "value": value, "protocol": protocol}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with one run, called a."""
    folder = tmp_path / "runs"
    make_run(folder / "a")
    return folder


@pytest.fixture
def studio(runs: Path) -> Iterator[Studio]:
    studio = Studio(runs, token="secret")
    yield studio
    for job in studio.processes.all():  # or Python warns of them in another test
        job.process.wait()


@pytest.fixture
def client(studio: Studio) -> Iterator[TestClient]:
    """A browser of this machine without a page of the studio."""
    with TestClient(create_app(studio), base_url=NAMED, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def a(runs: Path) -> str:
    """The id of the run a."""
    return id_of(runs / "a")
