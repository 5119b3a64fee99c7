from __future__ import annotations

import errno
import gzip
import io
import os
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steadygan.data import PrepareSettings, prepare
from steadygan.data.sources.archive import Tar, Zip
from steadygan.data.sources.opening import Listing, list_items, open_source
from steadygan.errors import DataError, StorageError


def png(level: int = 0, side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(level).integers(0, 256, (side, side), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def tar(path: Path, *members: tuple[str, bytes | str], mode: str = "w") -> Path:
    """An archive of files; a text instead of bytes makes a link to that name."""
    with tarfile.open(path, mode) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


def names(listing: Listing) -> list[str]:
    return [item.name for item in listing.items]


def problems(listing: Listing) -> dict[str, str]:
    return {problem.file: problem.reason for problem in listing.problems}


def test_a_tar_passes_over_what_a_zip_and_a_folder_do_and_is_no_way_out_of_it(tmp_path: Path) -> None:
    path = tar(
        tmp_path / "a.tar",
        ("./cat/a.png", png(1)),
        ("/dog//b.png", png(2)),
        ("../../up.png", png(3)),
        ("cat/.hidden.png", b"x"),
        ("__MACOSX/cat/._a.png", b"x"),
        ("cat/notes.txt", b"x"),
        ("cat/no-suffix", png(4)),
        ("cat/words", b"words"),
        ("cat/link.png", "a.png"),
    )
    with tarfile.open(path, "a") as archive:
        for name, kind in (("fifo.png", tarfile.FIFOTYPE), ("hard.png", tarfile.LNKTYPE), ("cat", tarfile.DIRTYPE)):
            info = tarfile.TarInfo(name)
            info.type = kind
            archive.addfile(info)
        sparse = tarfile.TarInfo("sparse.png")
        sparse.type = tarfile.GNUTYPE_SPARSE
        archive.addfile(sparse)
    source = open_source(path)
    assert isinstance(source, Tar)
    listing = list_items([source])
    assert [(item.name, item.label) for item in listing.items] == [
        ("cat/a.png", "cat"), ("cat/no-suffix", "cat"), ("dog/b.png", "dog"),
    ]  # fmt: skip
    assert dict(listing.passed_over) == {
        "hidden": 2, "of the system": 1, ".txt": 1, "without suffix": 1, "link in an archive": 2,
        "not an ordinary file": 1, "sparse file in an archive": 1,
    }  # fmt: skip
    with listing.items[2].open() as stream:
        assert stream.read() == png(2)


def test_of_two_members_with_one_name_the_later_counts(tmp_path: Path) -> None:
    first, later = png(1), png(2)
    path = tar(tmp_path / "a.tar", ("a.png", first), ("./a.png", later), ("b.png", first))
    items = list_items([Tar(path=path)]).items
    assert [item.open().read() == later for item in items] == [True, False]


@pytest.mark.parametrize(
    ("form", "long"), [(tarfile.PAX_FORMAT, "\N{SNOWMAN}"), (tarfile.GNU_FORMAT, "ü"), (tarfile.USTAR_FORMAT, "x")]
)
def test_tars_of_all_formats_with_long_names_are_read(tmp_path: Path, form: int, long: str) -> None:
    name = f"{long * 90}/{'y' * 90}/a.png" if form != tarfile.USTAR_FORMAT else f"{'x' * 90}/a.png"
    with tarfile.open(tmp_path / "a.tar", "w", format=form) as archive:
        (tmp_path / "a.png").write_bytes(png(1))
        archive.add(tmp_path / "a.png", name)
    (item,) = list_items([Tar(path=tmp_path / "a.tar")]).items
    assert item.name == name
    with item.open() as stream:
        assert stream.read() == png(1)


def test_a_name_in_a_tar_that_is_no_utf8_can_be_written_down(tmp_path: Path) -> None:
    (item,) = list_items([Tar(path=tar(tmp_path / "a.tar", (os.fsdecode(b"caf\xe9.png"), png())))]).items
    assert os.fsencode(item.name) == b"caf\xe9.png"


@pytest.mark.parametrize("where", ["within a member", "within a header", "between members"])
def test_of_a_tar_that_is_cut_short_the_beginning_is_used(where: str, tmp_path: Path) -> None:
    data = png(100, side=40)
    assert 1024 < len(data) < 2048
    path = tar(tmp_path / "a.tar", *((f"{index}.png", data) for index in range(3)))
    each = 512 + -(-len(data) // 512) * 512
    keep = {"within a member": 2 * each + 700, "within a header": 2 * each + 100, "between members": 2 * each}[where]
    path.write_bytes(path.read_bytes()[:keep])
    listing = list_items([open_source(path)])
    assert names(listing) == ["0.png", "1.png"]
    assert "a.tar" in problems(listing)
    assert problems(listing)["a.tar"].startswith("is cut short")
    assert problems(listing).keys() - {"a.tar"} <= {"2.png"}


def test_a_whole_tar_has_no_problem_however_it_is_padded(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", ("0.png", png()))
    with tarfile.open(path) as archive:
        archive.getmembers()
        end = archive.offset
    path.write_bytes(path.read_bytes()[: end + 1024])
    assert list_items([Tar(path=path)]).problems == ()


def test_a_tar_damaged_in_the_middle_says_where(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", *((f"{index}.png", png()) for index in range(3)))
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        at = archive.getmembers()[1].offset
    data[at + 148 : at + 156] = b"\xff" * 8  # the checksum of the header
    path.write_bytes(data)
    listing = list_items([Tar(path=path)])
    assert names(listing) == ["0.png"]
    assert problems(listing)["a.tar"].startswith(f"is damaged at byte {at:,}; files found before that: 1;")


def test_of_a_packed_tar_that_is_cut_short_the_beginning_is_used(tmp_path: Path) -> None:
    noise = [os.urandom(5000) for _ in range(40)]
    path = tar(tmp_path / "a.tar.gz", *((f"{index:02d}.png", data) for index, data in enumerate(noise)), mode="w:gz")
    path.write_bytes(path.read_bytes()[:-100_000])
    listing = list_items([open_source(path)])
    assert names(listing)[:15] == [f"{index:02d}.png" for index in range(15)]
    assert 15 < len(names(listing)) < 25
    assert problems(listing)["a.tar.gz"].startswith("is cut short; ")
    for item in listing.items:
        with item.open() as stream:
            assert stream.read() == noise[int(item.name[:2])]


def test_a_packed_tar_whose_checksum_is_wrong_is_used_and_named(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tgz", ("a.png", png()), ("b.png", png()), mode="w:gz")
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(data)
    listing = list_items([open_source(path)])
    assert names(listing) == ["a.png", "b.png"]
    assert "CRC check failed" in problems(listing)["a.tgz"]


def test_a_full_disk_while_unpacking_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    path = tar(tmp_path / "a.tar.gz", ("a.png", os.urandom(3_000_000)), mode="w:gz")
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(StorageError, match=r"a\.tar\.gz has to be unpacked to be read: .* larger than this system"):
            open_source(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert os.listdir(tmp_path / "cache" / "unpacked") == [".lock"]
    assert list_items([open_source(path)]).items[0].size == 3_000_000


def test_a_disk_without_room_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))

    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("steadygan.data.sources.unpacked._unpack", full)
    with pytest.raises(StorageError, match=r"the disk is full; free some space \(the variable STEADYGAN_CACHE"):
        open_source(tar(tmp_path / "a.tar.gz", ("a.png", png()), mode="w:gz"))


def test_a_tar_that_changes_while_it_is_read_gives_no_wrong_pictures(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", ("a.png", png(1)), ("b.png", png(2)))
    items = list_items([Tar(path=path)]).items
    tar(path, ("a.png", png(3)), ("b.png", png(4)), ("c.png", png(5)))
    os.utime(path, (1, 1))
    with pytest.raises(DataError, match="was changed while it was read"):
        items[0].open()
    assert len(list_items([Tar(path=path)]).items) == 3


def test_encrypted_members_of_a_zip_are_named_and_the_others_used(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", png())
        archive.writestr("b.png", png())
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.rindex(magic) + offset] |= 1
    path.write_bytes(data)
    listing = list_items([open_source(path)])
    assert names(listing) == ["a.png"]
    assert "is encrypted; unpack the archive with its password" in problems(listing)["b.png"]


def test_a_member_that_claims_to_be_small_does_not_eat_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(200_000_000))
        archive.writestr("a.png", png())
    data = bytearray(path.read_bytes())
    true = (200_000_000).to_bytes(4, "little")
    while true in data:
        at = data.index(true)
        data[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    bomb = list_items([Zip(path=path)]).items[1]
    assert (bomb.name, bomb.size) == ("bomb.png", 1000)
    tracemalloc.start()
    try:
        with pytest.raises(zipfile.BadZipFile), bomb.open() as stream:
            stream.read()
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_member_that_claims_more_than_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    info = tarfile.TarInfo("huge.png")
    info.size = 2**31
    block = tar(tmp_path / "b.tar", ("a.png", png()), ("b.png", png())).read_bytes()
    path.write_bytes(info.tobuf())
    os.truncate(path, 512 + 2**31)  # a hole in the file, which takes no room on the disk
    with path.open("ab") as file:
        file.write(block)
    dataset = prepare([open_source(path)], tmp_path / "out", PrepareSettings(size=8), workers=0)
    assert [entry.file for entry in dataset.entries()] == ["a.png", "b.png"]
    (rejection,) = dataset.rejected()
    assert rejection.file == "huge.png"
    assert "more than the 1 GB allowed" in rejection.reason


def test_a_zip_with_dots_in_its_names_holds_no_hidden_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("./cat/a.png", png())
        archive.writestr("dog\\b.png", png())
    assert names(list_items([Zip(path=tmp_path / "a.zip")])) == ["cat/a.png", "dog/b.png"]


@pytest.mark.parametrize(
    ("name", "start"), [("a.rar", b"Rar!\x1a\x07\x00"), ("a.7z", b"7z\xbc\xaf\x27\x1c"), ("a.tar.zst", b"(\xb5/\xfd")]
)
def test_archives_of_other_kinds_are_to_be_unpacked(name: str, start: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(start + bytes(100))
    with pytest.raises(DataError, match="is an archive that is not read; unpack it and give the folder"):
        open_source(tmp_path / name)


def test_something_gzipped_that_is_no_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"words"))
    (tmp_path / "b.tar.gz").write_bytes(zlib.compress(b"words"))
    for name in ("a.gz", "b.tar.gz"):
        with pytest.raises(DataError, match="neither an image nor a readable archive"):
            open_source(tmp_path / name)


def test_a_member_of_a_tar_is_a_file_of_its_own(tmp_path: Path) -> None:
    content = bytes(range(40))
    path = tar(tmp_path / "a.tar", ("a.png", b"before"), ("b.png", content), ("c.png", b"behind"))
    item = list_items([Tar(path=path)]).items[1]
    with item.open() as member:
        whole = io.BytesIO(content)
        for whence, offset, count in ((0, 5, 3), (1, 2, 4), (2, -6, 100), (0, 0, -1), (0, 25, 5), (2, 0, 1)):
            assert member.seek(offset, whence) == whole.seek(offset, whence)
            assert member.read(count) == whole.read(count)
    assert member.closed
