"""HEIC as phones write it: read where pillow-heif is installed, refused with its name where not; contents decide."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from steadygan.data import PrepareSettings, prepare
from steadygan.data.reading.decode import decode, decode_frames, is_image
from steadygan.errors import DataError

heif = pytest.importorskip("pillow_heif")

COLOURS = np.array([[[240, 40, 40], [40, 240, 40], [40, 40, 240]], [[230, 230, 40], [30, 30, 30], [225, 225, 225]]])
PICTURE = np.kron(COLOURS, np.ones((32, 32, 1))).astype(np.uint8)
INSTALL = "pip install 'steadygan[heic]'"


def heic(*pictures: NDArray[np.uint8], exif: bytes = b"", **options: Any) -> bytes:
    file = heif.HeifFile()
    for pixels in pictures:
        file.add_from_pillow(Image.fromarray(pixels))
    buffer = io.BytesIO()
    file.save(buffer, quality=95, chroma=444, **({"exif": exif} if exif else {}), **options)
    return buffer.getvalue()


def colours(image: Image.Image) -> NDArray[np.int64]:
    return np.asarray(image.convert("RGB")).astype(np.int64)[16::32, 16::32]


def test_a_photograph_of_a_phone_is_read_without_a_word() -> None:
    found = decode(heic(PICTURE))
    assert (found.size, found.format, found.changes) == ((96, 64), "HEIF", ())
    assert np.abs(colours(found.image) - COLOURS).max() <= 4


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"heix"])
def test_the_brand_in_the_header_may_be_any_of_the_usual_ones(brand: bytes) -> None:
    data = heic(PICTURE)
    assert decode(data[:8] + brand + data[12:]).format == "HEIF"


@pytest.mark.parametrize(("turn", "back"), [(3, 2), (6, 1), (8, 3)])
def test_it_is_turned_upright_exactly_once(turn: int, back: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    found = decode(heic(np.ascontiguousarray(np.rot90(PICTURE, back)), exif=exif.tobytes()))
    assert found.size == (96, 64)
    assert found.changes == ("turned upright",)
    assert np.abs(colours(found.image) - COLOURS).max() <= 4


def test_values_of_10_bits_have_the_levels_of_their_8_highest() -> None:
    file = heif.from_bytes("RGB;16", (96, 64), (PICTURE.astype(np.uint16) * 257).tobytes())
    buffer = io.BytesIO()
    file.save(buffer, quality=95, chroma=444)
    assert heif.open_heif(buffer.getvalue(), convert_hdr_to_8bit=False).info["bit_depth"] == 10
    assert np.abs(colours(decode(buffer.getvalue()).image) - COLOURS).max() <= 4


def test_what_is_transparent_shows_the_background() -> None:
    alpha = np.full((64, 96, 1), 255, np.uint8)
    alpha[:, :32] = 0
    found = decode(heic(np.dstack([PICTURE, alpha])), background=(10, 20, 30))
    assert found.changes == ("transparency filled",)
    expected = COLOURS.copy()
    expected[:, 0] = (10, 20, 30)
    assert np.abs(colours(found.image) - expected).max() <= 4


@pytest.mark.parametrize("frames", ["first", "all"])
def test_of_several_pictures_the_primary_one_is_read(frames: Any) -> None:
    (found,) = decode_frames(heic(255 - PICTURE, PICTURE, primary_index=1), frames=frames)
    assert np.abs(colours(found.image) - COLOURS).max() <= 4


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_one_that_is_cut_short_is_called_damaged(share: float) -> None:
    data = heic(PICTURE)
    with pytest.raises(DataError, match="get it again") as said:
        decode(data[: max(40, int(len(data) * share))])
    assert "steadygan[heic]" not in str(said.value)


def test_contents_decide_and_not_suffixes_in_folders_archives_and_tables(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    buffer = io.BytesIO()
    Image.fromarray(PICTURE).save(buffer, "JPEG", quality=95)
    names = "photo.jpg", "photo.png", "nosuffix"
    files = {"photo.heic": buffer.getvalue(), **dict.fromkeys(names, heic(PICTURE))}
    folder = tmp_path / "in"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    rows = [{"bytes": data, "path": name} for name, data in files.items()]
    parquet.write_table(pa.table({"image": rows}), tmp_path / "in.parquet")
    for source in (folder, tmp_path / "in.zip", tmp_path / "in.parquet"):
        made = prepare(source, tmp_path / f"set-{source.name}", PrepareSettings(size=32), workers=0)
        assert sorted(entry.format for entry in made.entries()) == ["HEIF", "HEIF", "HEIF", "JPEG"], source


WITHOUT = """
import json, sys
sys.modules["pillow_heif"] = None
from steadygan.data.reading.decode import decode, is_image
from steadygan.errors import DataError
data = open(sys.argv[1], "rb").read()
try:
    decode(data)
except DataError as problem:
    print(json.dumps([str(problem), is_image(lambda: open(sys.argv[1], "rb"))]))
"""


def test_without_pillow_heif_the_reason_names_the_one_line_that_installs_it(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(heic(PICTURE))
    line = [sys.executable, "-c", WITHOUT, str(tmp_path / "photo")]
    said, counts = json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
    assert INSTALL in said
    assert "HEIC" in said
    assert counts  # a file without a suffix is rejected with the reason, and not passed over


def test_a_file_that_only_begins_like_a_video_is_no_picture() -> None:
    assert not is_image(lambda: io.BytesIO(b"\0\0\0\x18ftypisom" + bytes(50)))
