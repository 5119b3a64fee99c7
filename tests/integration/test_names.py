"""Names of every kind, wherever a command takes one."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steadygan.cli.main import main
from steadygan.names import shown
from tiny import TINY, set_options

LATIN = os.fsdecode(b"caf\xe9")
ODD = {
    "Latin-1": LATIN,
    "a new line": "two\nlines",
    "a tab": "a\tb",
    "a bell": "a\x07\x1b[31mb",
    "emoji": "\N{PARTY POPPER}\N{ZERO WIDTH JOINER}\N{PARTY POPPER}",
    "right to left": "a\N{RIGHT-TO-LEFT OVERRIDE}gnp.b",
    "spaces and dots": " a . ",
    "markup": "[red]{x}%s :smile: [",
    "a tilde": "~nobody-is-called-so",
    "a dash": "-rf",
    "quotes": "\"'`$(x)<b>&",
    "a backslash": "a\\udce9\\n",
    "very long": "n" * 240,
}
WORST = f"{LATIN}\n\t\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}\N{PARTY POPPER}[red]\\udce9'<b> ."
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse many of these names")


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def fill(folder: Path, name: str, count: int = 12) -> Path:
    """Pictures in class folders and files called so, and a damaged one."""
    for number in range(count):
        path = folder / f"{name[:200]}{number % 2}" / f"{name[:200]}{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    (folder / f"{name[:200]}0" / f"{name[:200]}damaged.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def run(capfdbinary, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))

    def command(*words: str | Path, code: int = 0) -> str:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        out, error = capfdbinary.readouterr()
        assert b"this is a bug" not in error, error
        assert (left.value.code or 0) == code, (words, error, out)
        for text in (out, error):
            assert not set(text) & (set(range(32)) - {10}), text
        return out.decode()

    return command


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def file_of(line: str) -> bytes:
    return os.fsencode(json.loads(line)["file"])


def test_sets_of_files_with_odd_names_are_prepared_inspected_and_written_again(run, tmp_path):
    source = tmp_path / "in" / WORST
    for name in ODD.values():
        fill(source, name, 2)
    given, out, page = f"./in/{WORST}", f"./out/{WORST}", f"./{WORST}.html"
    run("prepare", given, "-o", out, "--size", "16", "--workers", "0")
    run("prepare", given, "-o", out, "--size", "16", "--workers", "0")
    below = {os.fsencode(path.relative_to(source)) for path in source.rglob("*.png")}
    damaged = {path for path in below if b"damaged" in path}
    assert {*map(file_of, lines_of(tmp_path / out / "index.jsonl"))} == below - damaged
    assert {*map(file_of, lines_of(tmp_path / out / "rejected.jsonl"))} == damaged
    meta = json.loads((tmp_path / out / "dataset.json").read_text(encoding="utf-8"))
    assert os.fsencode(meta["sources"][0]["path"]) == os.fsencode(source.relative_to(tmp_path))
    assert {*map(os.fsencode, meta["class_names"])} == {path.partition(b"/")[0] for path in below}
    found = json.loads(run("inspect", given, "--size", "16", "--json", "--html", page))
    assert {os.fsencode(one["file"]) for one in found["rejected"]} == damaged
    assert os.fsencode(found["path"]) == os.fsencode(source.relative_to(tmp_path))
    assert (tmp_path / page).read_text(encoding="utf-8").count("damaged.png</th>") == len(ODD)
    assert len(run("inspect", out).splitlines()) < 60
    run("export", out, "-o", f"./pngs-{WORST}")
    lines = map(json.loads, lines_of(tmp_path / f"pngs-{WORST}" / "metadata.jsonl"))
    assert {os.fsencode(line["source"]) for line in lines} == below - damaged


@pytest.mark.parametrize("kind", ODD)
def test_sources_and_sets_may_be_called_anything(kind, run, tmp_path):
    fill(tmp_path / "in" / ODD[kind], "a", 2)
    for here in ("in", "."):
        source = f"{here}/{ODD[kind]}" if here == "in" else ODD[kind]
        if here == ".":
            (tmp_path / "in" / ODD[kind]).rename(tmp_path / ODD[kind])
        run("prepare", "-o", f"out/{here}/{ODD[kind]}", "--size", "16", "--workers", "0", "--", source)


@pytest.mark.slow
def test_runs_on_and_in_folders_of_odd_names_are_trained_resumed_and_looked_at(run, tmp_path):
    fill(tmp_path / WORST, WORST, 40)
    short, out = f"./{WORST}", f"runs/{WORST}/a"
    tiny = [*set_options(TINY), "--size", "16"]
    run("train", short, "--steps", "2", *tiny)
    (tmp_path / "runs" / WORST).mkdir()
    next((tmp_path / "runs").glob("steady-*")).rename(tmp_path / out)
    run("resume", out, "--steps", "3", "--data", short)
    info = json.loads((tmp_path / out / "run.json").read_text(encoding="utf-8"))
    assert os.fsencode(info["data"]["source"]) == os.fsencode(tmp_path / WORST)
    run("note", out, f"saw {WORST}")
    note = json.loads(lines_of(tmp_path / out / "notes.jsonl")[-1])
    assert os.fsencode(note["text"]) == os.fsencode(f"saw {WORST}")
    run("sample", out, "-n", "4", "-o", f"./{WORST}.png")
    run("sample", out, "-n", "2", "--frames", "2", "-o", f"./{WORST}.gif")
    run("sample", out, "-n", "2", "-o", f"./samples-{WORST}")
    if find_spec("av"):
        run("sample", out, "-n", "2", "--frames", "2", "-o", f"./{WORST}.mp4")
        assert (tmp_path / f"{WORST}.mp4").read_bytes()[4:8] == b"ftyp"
    run("export", out, "-o", f"./{WORST}.safetensors")
    few = ["--metrics", "swd", "-n", "16", "--split", "all"]
    run("evaluate", out, short, *few, "--json", f"./{WORST}.json")
    run("evaluate", f"./{WORST}.safetensors", short, *few)
    run("evaluate", short, short, *few, "--size", "16", "--json", "-")
    assert list(map(os.fsencode, json.loads(run("compare", out, out, "--json"))["runs"])) == [os.fsencode(out)] * 2
    run("compare", out, out)
    tomllib.loads(run("train", short, "--dry-run", *tiny))


@pytest.mark.slow
def test_a_path_that_is_not_there_is_said_on_one_line_whatever_it_is_called(run, capfdbinary, tmp_path):
    for name in ODD.values():
        for words in (["prepare", f"./{name}", "-o", "x"], ["train", f"./{name}"], ["inspect", f"./{name}"],
                      ["resume", f"./{name}"], ["evaluate", f"./{name}", f"./{name}"]):  # fmt: skip
            with pytest.raises(SystemExit) as left:
                main(words)
            error = capfdbinary.readouterr().err.decode()
            assert left.value.code in (2, 4)
            assert error.count("\n") == 1, error
            assert shown(name) in error


def test_huge_images_that_are_called_so_are_cut_into_tiles(run, tmp_path):
    pytest.importorskip("rasterio", reason='needs rasterio: pip install "steadygan[geo]"')
    for name in (LATIN, WORST):
        path = tmp_path / name / f"{name}.tif"
        path.parent.mkdir()
        pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        run("prepare", f"./{name}", "-o", f"./set-{name}", "--tile", "32", "--workers", "0")
        assert len(lines_of(tmp_path / f"set-{name}" / "index.jsonl")) == 4
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.write(path, "a.tif")
        run("prepare", f"./{name}.zip", "-o", f"./zip-{name}", "--tile", "32", "--workers", "0")


def test_members_of_archives_and_rows_of_tables_keep_their_names(run, tmp_path):
    names = [f"{LATIN}{number % 2}/{LATIN}{number}.png" for number in range(4)]
    with tarfile.open(tmp_path / f"{LATIN}.tar.gz", "w:gz") as archive:
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = len(png(number))
            archive.addfile(info, io.BytesIO(png(number)))
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        for number in range(4):
            info = zipfile.ZipInfo(f"x{number}")
            info.filename = f"cafe{number % 2}/{number}.png"
            archive.writestr(info, png(number))
    old = (tmp_path / "old.zip").read_bytes()
    (tmp_path / "dos.zip").write_bytes(old.replace(b"cafe", b"caf\x82"))
    (tmp_path / "mac.zip").write_bytes(old.replace(b"cafe", "ca\N{LATIN SMALL LETTER E WITH ACUTE}".encode()))
    fill(tmp_path / "pictures", LATIN, 4)
    rows = [{"file": f"pictures/{name}", "label": LATIN} for name in names]
    (tmp_path / "table.jsonl").write_text("\n".join(map(json.dumps, rows)))
    expected = {f"{LATIN}.tar.gz": LATIN, "dos.zip": "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
                "mac.zip": "ca\N{LATIN SMALL LETTER E WITH ACUTE}"}  # fmt: skip
    for source, stem in expected.items():
        run("prepare", source, "-o", f"set-{source}", "--size", "16", "--workers", "0")
        meta = json.loads((tmp_path / f"set-{source}" / "dataset.json").read_text())
        assert meta["class_names"] == [f"{stem}0", f"{stem}1"]
    run("prepare", "table.jsonl", "-o", "set-table", "--size", "16", "--workers", "0")
    lines = (tmp_path / "set-table" / "index.jsonl").read_text(encoding="utf-8").splitlines()
    assert [file_of(line) for line in lines] == [os.fsencode(f"pictures/{name}") for name in sorted(names)]


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_columns_in_files_that_are_called_so_are_read(suffix, run, tmp_path):
    pa = pytest.importorskip("pyarrow", reason='needs pyarrow: pip install "steadygan[hub]"')
    from pyarrow import ipc, parquet

    content = pa.table({"image": [{"bytes": png(number), "path": None} for number in range(4)]})
    path = tmp_path / f"{LATIN}.{suffix}"
    with path.open("wb") as file:
        if suffix == "parquet":
            parquet.write_table(content, file)
        else:
            with ipc.new_file(file, content.schema) as writer:
                writer.write_table(content)
    run("prepare", path.name, "-o", "set", "--size", "16", "--workers", "0")
    assert file_of((tmp_path / "set" / "index.jsonl").read_text().splitlines()[0]) == os.fsencode(f"{LATIN}/000000")
