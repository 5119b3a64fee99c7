"""How fast the studio lists many runs and opens one, and what it keeps in memory while a run is watched.

    python benchmarks/studio.py [--runs 500] [--ticks 2000] [--updates 1000]

The runs are synthetic: ticks, signals, scores, notes and a few grids. The studio is a process of its own; with a
Chromium and playwright its pages are timed as well, from the address to the last card or chart in view.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import psutil
from PIL import Image

from steadygan.records import Tick
from steadygan.rundir import RunDir

GRIDS, EVERY = 8, 0.02


def main(runs: int, ticks: int, updates: int) -> None:
    """Print seconds and megabytes as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "runs"
        first = _write(place / "run-000", ticks)
        for number in range(1, runs):
            _copy(first, place / f"run-{number:03d}", number)
        found: dict[str, Any] = {"runs": runs, "ticks": ticks, "updates": updates}
        with _studio(place) as (address, process):
            found["server"] = _server(address)
            found["browser"] = _browser(address)
            found["live"] = _live(address, process, first, ticks, updates)
        print(json.dumps(found, indent=2))


def _server(address: str) -> dict[str, float]:
    """Seconds for what the pages ask of the server."""
    seconds = {"list, first time": _timed(f"{address}/api/runs"), "list, again": _timed(f"{address}/api/runs")}
    run = json.loads(_get(f"{address}/api/runs"))["runs"][-1]["id"]
    seconds |= {
        "run, first time": _timed(f"{address}/api/runs/{run}"),
        "run, again": _timed(f"{address}/api/runs/{run}"),
    }
    return seconds | {"curves": _timed(f"{address}/api/runs/{run}/curves")}


def _browser(address: str) -> dict[str, float] | str:
    """Seconds until the pages show what they are for."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        return "needs playwright"
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return "needs a Chromium"
    run = json.loads(_get(f"{address}/api/runs"))["runs"]
    pages = {
        "list": ("/", ".run img[src]"),
        "run": (f"/runs/{run[0]['id']}", ".plot canvas"),
        "comparison of 4": (f"/compare?runs={','.join(one['id'] for one in run[:4])}", ".plot canvas"),
    }
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        view = browser.new_page(viewport={"width": 1280, "height": 2400})
        view.goto(f"{address}/assets/studio.svg")
        seconds = {}
        for name, (path, seen) in pages.items():
            began = time.perf_counter()
            view.goto(address + path)
            view.wait_for_selector(seen, state="attached")
            if name == "list":
                there = "[...document.querySelectorAll('.run img')].slice(0, 8).every((it) => it.naturalWidth)"
                while not view.evaluate(there):  # wait_for_function is not allowed by the policy of the page
                    view.wait_for_timeout(20)
            seconds[name] = round(time.perf_counter() - began, 2)
        browser.close()
    return seconds


def _live(address: str, process: psutil.Process, run: RunDir, ticks: int, updates: int) -> dict[str, Any]:
    """Megabytes of the studio while three look at a run that grows, and how many events each was sent."""
    listed = json.loads(_get(f"{address}/api/runs"))["runs"]
    id_ = next(one["id"] for one in listed if one["name"] == run.path.name)
    counts = [0, 0, 0]

    def look(number: int) -> None:
        with urlopen(f"{address}/api/runs/{id_}/events") as stream:
            for line in stream:
                counts[number] += line.startswith(b"event: more")

    for number in range(len(counts)):
        threading.Thread(target=look, args=(number,), daemon=True).start()
    time.sleep(3)
    memory = [process.memory_info().rss]
    began = time.perf_counter(), sum(process.cpu_times()[:2])
    for update in range(updates):
        with run.log.open("a") as file:
            file.write(_tick(ticks + update + 1) + "\n")
        time.sleep(EVERY)
        if (update + 1) % max(1, updates // 5) == 0:
            time.sleep(1.5)
            memory.append(process.memory_info().rss)
    busy = (sum(process.cpu_times()[:2]) - began[1]) / (time.perf_counter() - began[0])
    return {
        "megabytes": [round(size / 2**20, 1) for size in memory],
        "updates sent": counts,
        "processor": round(busy, 2),
    }


def _write(folder: Path, ticks: int) -> RunDir:
    run = RunDir(folder)
    run.samples.mkdir(parents=True)
    data = {"source": "tiles", "digest": "x" * 64, "count": 1000, "held_out": 100, "spec": {"size": 64, "channels": 3}}
    config = {"batch": 64, "budget": {"images": 640 * ticks}, "optimizer": {"generator": {"lr": 2e-4}}}
    run.run_json.write_text(json.dumps({"recipe": "steady", "config": config, "parameters": {}, "data": data}))
    run.log.write_text("".join(_tick(number) + "\n" for number in range(1, ticks + 1)))
    measured = range(0, ticks, 20)
    run.signals.write_text(
        "".join(json.dumps(_place(at) | {"diversity": 0.2, "distance": 1 / (1 + at)}) + "\n" for at in measured)
    )
    told = {"metric": "fd", "protocol": "fd-1 scattering n=512 held-out of x; picks the best"}
    scores = (json.dumps(_place(at) | told | {"value": 1 + 100 / (1 + at)}) + "\n" for at in range(0, ticks, 50))
    run.scores.write_text("".join(scores))
    run.notes.write_text(json.dumps({"step": 0, "text": "started: about 1 h"}) + "\n")
    for number in range(1, GRIDS + 1):
        noise = np.random.default_rng(number).integers(0, 255, (65, 65, 3), dtype=np.uint8)
        sheet = Image.fromarray(noise).resize((530, 530), Image.Resampling.BICUBIC)
        sheet.save(run.sample(number * 640 * ticks // GRIDS))
    return run


def _copy(run: RunDir, folder: Path, number: int) -> None:
    shutil.copytree(run.path, folder)
    info = json.loads(run.run_json.read_text())
    info |= {"seed": number, "created": f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}+00:00"}
    (folder / "run.json").write_text(json.dumps(info))


def _place(number: int) -> dict[str, int]:
    return {"step": 10 * number, "images": 640 * number}


def _tick(number: int) -> str:
    required = [name for name, field in Tick.model_fields.items() if field.is_required()]
    values = {name: 1.5 + math.sin(number / 9 + len(name)) for name in required}
    return json.dumps(values | _place(number) | {"seconds": 4.0 * number, "images_per_second": 160.0})


@contextmanager
def _studio(place: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The address and the process of a studio."""
    command = [sys.executable, "-u", "-m", "steadygan", "studio", str(place), "--no-open", "--port", "8790"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        try:
            address = next(line.split()[1] for line in process.stdout if line.startswith("studio")).rstrip("/")
            _get(f"{address}/assets/studio.js")
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()


def _get(url: str) -> bytes:
    with urlopen(url) as answer:
        return bytes(answer.read())


def _timed(url: str) -> float:
    began = time.perf_counter()
    _get(url)
    return round(time.perf_counter() - began, 3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option, default in (("--runs", 500), ("--ticks", 2000), ("--updates", 1000)):
        parser.add_argument(option, type=int, default=default)
    main(**vars(parser.parse_args()))
