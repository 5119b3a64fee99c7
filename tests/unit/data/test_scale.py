"""Values of 10 to 16 bits are shown on one scale in all of a set, grey and colour, however the set came to be."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from steadygan.data import Dataset, PrepareSettings, inspect, prepare
from steadygan.data.making import carry_out
from steadygan.data.plan import make_plan
from steadygan.data.pool import Pool
from steadygan.data.sources.opening import open_source
from steadygan.errors import DataError

SIDE = 16


def values(largest: int, seed: int = 0) -> NDArray[np.uint16]:
    drawn = np.random.default_rng(seed).integers(0, largest + 1, (SIDE, SIDE))
    drawn[0, 0] = largest
    return drawn.astype(np.uint16)


def save(path: Path, held: NDArray[np.uint16], colour: bool) -> None:
    """A PNG of 16 bits, written by hand where it is in colour: Pillow writes none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not colour:
        Image.fromarray(held).save(path)
        return
    import struct
    import zlib

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in np.repeat(held[..., None], 3, axis=2))
    header = struct.pack(">IIBBBBB", held.shape[1], held.shape[0], 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    parts = [struct.pack(">I", len(it)) + name + it + struct.pack(">I", zlib.crc32(name + it)) for name, it in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def made(source: Path, out: Path, **settings: object) -> Dataset:
    return prepare(source, out, PrepareSettings(**{"size": SIDE, **settings}), workers=0)  # type: ignore[arg-type]


def shown(dataset: Dataset) -> dict[str, NDArray[np.uint8]]:
    return {entry.file: dataset.images[index][..., 0] for index, entry in enumerate(dataset.entries())}


@pytest.mark.parametrize("largest", [1000, 4000, 16000, 65000])
def test_grey_and_colour_of_one_set_have_the_same_levels(tmp_path: Path, largest: int) -> None:
    shift = next(bits for bits in (10, 12, 14, 16) if largest < 2**bits) - 8
    for number in range(3):
        save(tmp_path / "in" / f"grey{number}.png", values(largest, number), colour=False)
        save(tmp_path / "in" / f"rgb{number}.png", values(largest, number), colour=True)
    dataset = made(tmp_path / "in", tmp_path / "out")
    for name, pixels in shown(dataset).items():
        assert pixels.tolist() == (values(largest, int(name[-5])) >> shift).tolist()
    assert f"0 to {2 ** (shift + 8) - 1} is shown as 0 to 255" in dataset.meta["converted"]
    assert f"need {shift + 8} bits" in inspect(tmp_path / "in", PrepareSettings(size=SIDE), workers=0).converted


@pytest.mark.parametrize("colour", [False, True])
def test_the_picture_with_the_largest_values_decides_for_all(tmp_path: Path, colour: bool) -> None:
    sizes = {"a.png": 200, "b.png": 1000, "c.png": 4000, "d.png": 65000}
    for name, largest in sizes.items():
        save(tmp_path / "in" / name, values(largest), colour)
    Image.new("RGB", (SIDE, SIDE), (99, 99, 99)).save(tmp_path / "in" / "plain.png")
    dataset = made(tmp_path / "in", tmp_path / "out")
    found = shown(dataset)
    for name, largest in sizes.items():
        assert found[name].tolist() == (values(largest) >> 8).tolist()
    assert (found["plain.png"] == 99).all()  # a file of 8 bits says what white is
    assert "are nearly black on the scale of 16 bits that d.png needs" in " ".join(dataset.advice)


def test_what_is_transparent_or_beside_the_picture_keeps_its_colour(tmp_path: Path) -> None:
    for name, largest in {"a.png": 1000, "b.png": 65000}.items():
        save(tmp_path / "in" / name, values(largest)[:8], colour=False)
    found = shown(made(tmp_path / "in", tmp_path / "out", fit="pad", background=(200, 200, 200)))
    assert (found["a.png"][:4] == 200).all()


def test_a_set_that_grew_is_the_set_that_was_made_at_once(tmp_path: Path) -> None:
    """A brighter file raises the scale of those before; without it they get the old one back."""
    for number in range(4):
        save(tmp_path / "in" / f"{number}.png", values((900, 4000, 3000, 1000)[number], number), colour=number % 2 == 1)
    first = made(tmp_path / "in", tmp_path / "out").digest
    save(tmp_path / "in" / "bright.png", values(65000), colour=True)
    grown = made(tmp_path / "in", tmp_path / "out").digest
    assert grown == made(tmp_path / "in", tmp_path / "fresh").digest != first
    (tmp_path / "in" / "bright.png").unlink()
    assert made(tmp_path / "in", tmp_path / "out").digest == first


def test_a_set_that_was_killed_while_it_was_brought_to_one_scale_is_finished_rightly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from steadygan.data.growing import Growing

    for number, largest in enumerate((900, 800, 65000)):
        save(tmp_path / "in" / f"{number}.png", values(largest, number), colour=True)
    plan = make_plan([open_source(tmp_path / "in")], PrepareSettings(size=SIDE))
    real, done = Growing.replace, []

    def dies(self: Growing, index: int, row: object) -> None:
        real(self, index, row)  # type: ignore[arg-type]
        done.append(index)
        raise DataError("the power went off")

    with monkeypatch.context() as patched, Pool[list](0) as pool:
        patched.setattr(Growing, "replace", dies)
        with pytest.raises(DataError, match="power"):
            carry_out(plan, tmp_path / "out", pool)
    assert done == [0]
    assert made(tmp_path / "in", tmp_path / "out").digest == made(tmp_path / "in", tmp_path / "fresh").digest


def test_a_file_that_changes_between_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from steadygan.data.work import ReadFile

    for number, largest in enumerate((900, 65000)):
        save(tmp_path / "in" / f"{number}.png", values(largest, number), colour=True)
    monkeypatch.setattr(ReadFile, "again", lambda *_: [])
    with pytest.raises(DataError, match="changed while the set was made"):
        made(tmp_path / "in", tmp_path / "out")


def test_a_pgm_and_a_ppm_of_16_bits_have_the_same_levels(tmp_path: Path) -> None:
    from steadygan.data import decode

    held = values(4000)
    grey = b"P5 16 16 65535\n" + held.astype(">u2").tobytes()
    colour = b"P6 16 16 65535\n" + np.repeat(held[..., None], 3, axis=2).astype(">u2").tobytes()
    assert np.asarray(decode(grey).image).tolist() == (held >> 4).tolist()
    assert np.asarray(decode(colour).image)[..., 1].tolist() == (held >> 4).tolist()
    assert Image.open(io.BytesIO(colour)).mode == "RGB"


def test_pixels_that_were_read_by_other_rules_are_not_taken_over(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / "in" / f"{number}.png", values(4000, number), colour=True)
    first = made(tmp_path / "in", tmp_path / "out")
    digest = first.digest
    meta = json.loads((first.path / "dataset.json").read_text())
    np.save(first.path / "images.npy", np.zeros_like(first.images))
    (first.path / "dataset.json").write_text(json.dumps(meta | {"reading": 1, "key": "another"}))
    assert made(tmp_path / "in", tmp_path / "out").digest == digest
