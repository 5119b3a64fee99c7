"""Seconds of what should come at once, the best of five each: the tests count its work, this measures it.

python benchmarks/promptness.py
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from PIL import Image

from steadygan.data.reading.decode import decode, decode_frames
from steadygan.errors import DataError
from steadygan.records import Tick
from steadygan.visual.curves import save_curves

FIELDS = {name: 0.5 for name, field in Tick.model_fields.items() if field.annotation is float}
LOG = [Tick(step=number, images=64 * number, **FIELDS) for number in range(100_000)]
GIF = b"GIF89a" + (300).to_bytes(2, "little") * 2 + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
FRAME = b"!\xf9\4\0\0\0\0\0," + b"\0\0\0\0\1\0\1\0\0" + b"\2\2L\1\0"
ANIMATION = GIF + FRAME * 100_000 + b";"


def bomb() -> bytes:
    """A small JPEG that claims 40,000 × 20,000 pixels."""
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = (20_000).to_bytes(2, "big") + (40_000).to_bytes(2, "big")
    return bytes(data)


def take(data: bytes) -> None:
    with suppress(DataError):
        for _ in decode_frames(data, frames="all"):
            pass


def refused(data: bytes) -> None:
    with suppress(DataError):
        decode(data, smallest=64)


def best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return round(min(times), 3)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "steadygan", "--help"]
        found = {
            "--help": best(lambda: subprocess.run(command, check=True, capture_output=True)),
            "curves of 100,000 ticks": best(lambda: save_curves(LOG, Path(folder) / "curves.png")),
            "first of 100,000 frames": best(lambda: decode(ANIMATION)),
            "1,000 of 100,000 frames": best(lambda: take(ANIMATION)),
            "a bomb refused": best(lambda: refused(bomb())),
        }
    print(json.dumps(found, indent=2))
