"""What is written to: files, what links lead to, and what is no ordinary file, each of which stays what it is."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steadygan.data.builtin.stacked import write_stacked
from steadygan.errors import StorageError, os_errors
from steadygan.rundir import append_line, atomic_folder, atomic_path, atomic_write, storage_errors
from steadygan.visual.curves import save_curves
from steadygan.visual.gif import save_animation
from steadygan.visual.grid import save_grid, save_images
from steadygan.visual.nearest import save_nearest

PICTURES = np.zeros((2, 8, 8, 3), np.uint8)
FRAMES = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]


@pytest.fixture(autouse=True)
def _curves_are_drawn_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies on the way to the file is all of save_curves; how it looks takes a third of a second each."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda _, path, **how: FRAMES[0].save(path, "PNG"))


def save_film(path: Path) -> None:
    pytest.importorskip("av")
    save_animation(FRAMES, path, 12)


WRITERS = {
    "text.txt": lambda path: atomic_write(path, "text"),
    "curves.png": lambda path: save_curves([], path),
    "grid.png": lambda path: save_grid(PICTURES, path),
    "nearest.jpg": lambda path: save_nearest(PICTURES, PICTURES, PICTURES, path),
    "walk.gif": lambda path: save_animation(FRAMES, path, 12),
    "walk.mp4": save_film,
    "stacked-idx4-ubyte": lambda path: write_stacked(PICTURES[..., 0], path, 2),
}


@pytest.fixture(params=WRITERS)
def written(request, tmp_path):
    """A function that writes an output of some kind, its name, and what it writes into a new file."""
    write = WRITERS[request.param]
    write(tmp_path / "new" / request.param)
    return write, request.param, (tmp_path / "new" / request.param).read_bytes()


def node(path: Path, kind: int, major: int, minor: int) -> Path:
    """A device of our own; the machine's are left alone."""
    try:
        os.mknod(path, kind | 0o666, os.makedev(major, minor))
        path.open("ab").close()
    except OSError:
        pytest.skip("needs the permission to make a device")
    return path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_a_link_is_written_through_and_the_temporary_file_lies_beside_the_target(written, tmp_path):
    write, name, expected = written
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "target").write_text("old")
    (tmp_path / "middle").symlink_to("far/target")
    (tmp_path / name).symlink_to(tmp_path / "middle")
    write(tmp_path / name)
    assert (tmp_path / name).is_symlink()
    assert (tmp_path / "middle").is_symlink()
    assert (tmp_path / "far" / "target").read_bytes() == expected
    assert files(tmp_path) == {name, "middle", "far/target", f"new/{name}"}


def test_a_link_to_nothing_gets_its_target(written, tmp_path):
    write, name, expected = written
    (tmp_path / name).symlink_to("far/target")
    write(tmp_path / name)
    assert (tmp_path / name).is_symlink()
    assert (tmp_path / "far" / "target").read_bytes() == expected


def test_links_in_a_circle_are_refused_and_stay(written, tmp_path):
    write, name, _ = written
    (tmp_path / name).symlink_to("other")
    (tmp_path / "other").symlink_to(name)
    with pytest.raises(StorageError, match="its symbolic links lead in a circle"):
        write(tmp_path / name)
    assert (tmp_path / name).is_symlink()


def test_a_pipe_is_written_into(written, tmp_path):
    write, name, expected = written
    os.mkfifo(tmp_path / name)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / name).read_bytes()))
    reader.start()
    write(tmp_path / name)
    reader.join(60)
    assert read == [expected]
    assert (tmp_path / name).is_fifo()


def test_a_device_stays_a_device(written, tmp_path):
    write, name, _ = written
    write(node(tmp_path / name, stat.S_IFCHR, 1, 3))
    assert (tmp_path / name).is_char_device()
    (tmp_path / "link.txt").symlink_to(tmp_path / name)
    atomic_write(tmp_path / "link.txt", "text")
    assert (tmp_path / name).is_char_device()
    assert (tmp_path / "link.txt").is_symlink()


def test_a_device_that_is_full_says_so(tmp_path):
    with pytest.raises(StorageError, match="the disk is full; free some space"):
        atomic_write(node(tmp_path / "full", stat.S_IFCHR, 1, 7), "text")


@pytest.mark.parametrize("name", ["/proc/self/fd/{}", "/proc/thread-self/fd/{}", "/dev/fd/{}"])
def test_an_open_file_of_the_process_goes_on_where_it_is(tmp_path, name):
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs a system that shows open files")
    with (tmp_path / "log").open("wb", buffering=0) as log:
        log.write(b"before, ")
        (tmp_path / "out").symlink_to(name.format(log.fileno()))
        atomic_write(tmp_path / "out", "between, ")
        atomic_write(Path(name.format(log.fileno())), "once more, ")
        log.write(b"after")
    assert (tmp_path / "log").read_text() == "before, between, once more, after"
    assert (tmp_path / "out").is_symlink()


def test_the_reader_of_a_pipe_may_leave(tmp_path):
    end, other = os.pipe()
    os.close(end)
    atomic_write(Path(f"/dev/fd/{other}"), "text")
    os.close(other)


def test_permissions_and_owner_are_kept_and_other_names_of_the_file_keep_what_was_there(tmp_path):
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_text("old")
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 1, 2)
    other.hardlink_to(file)
    before = file.stat()
    atomic_write(file, "new")
    assert (file.read_text(), other.read_text()) == ("new", "old")
    after = file.stat()
    assert (before.st_mode, before.st_uid, before.st_gid) == (after.st_mode, after.st_uid, after.st_gid)


@pytest.fixture
def nobodys():
    """A folder of a user whose permissions count, which we are as long as the test lasts."""
    with tempfile.TemporaryDirectory() as folder:  # the folders above that of pytest are for its user alone
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            os.seteuid(os.getuid())


def test_a_file_of_ones_own_in_a_folder_of_others_is_written_in_place(nobodys):
    folder = nobodys / "folder"
    folder.mkdir()
    (folder / "file").write_text("something older and longer")
    folder.chmod(0o555)
    atomic_write(folder / "file", "new")
    assert (folder / "file").read_text() == "new"
    with pytest.raises(StorageError, match="no permission"):
        atomic_write(folder / "another", "new")
    folder.chmod(0o755)


def test_a_file_that_may_not_be_written_is_refused_before_the_work(nobodys):
    file = nobodys / "file"
    file.write_text("precious")
    file.chmod(0o444)
    with pytest.raises(StorageError, match="file: no permission"), atomic_path(file):
        pytest.fail("the work was begun")
    assert file.read_text() == "precious"


def test_a_folder_in_the_place_of_a_file_is_refused_before_the_work(tmp_path):
    with pytest.raises(StorageError, match="it is a folder, not a file"), atomic_path(tmp_path):
        pytest.fail("the work was begun")


def test_names_may_be_as_long_as_the_system_allows_and_no_longer(tmp_path):
    for name in ("x" * 255, "日" * 85):
        atomic_write(tmp_path / name, "text")
        assert (tmp_path / name).read_text() == "text"
    with pytest.raises(StorageError, match="the name is longer than this system allows"):
        atomic_write(tmp_path / ("x" * 256), "text")


def test_folders_are_written_through_links(tmp_path):
    (tmp_path / "link").symlink_to("far")
    with atomic_folder(tmp_path / "link") as part:
        (part / "file").write_text("text")
    save_images(PICTURES, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert files(tmp_path / "far") == {"file", "00000.png", "00001.png"}
    (tmp_path / "pictures").symlink_to("of link")
    save_images(PICTURES, tmp_path / "pictures")
    assert len(files(tmp_path / "of link")) == 2


def test_lines_are_added_through_links(tmp_path):
    (tmp_path / "link").symlink_to("log")
    for line in ("a", "b"):
        append_line(tmp_path / "link", line)
    assert (tmp_path / "log").read_text() == "a\nb\n"
    assert (tmp_path / "link").is_symlink()


def test_another_file_that_stood_in_the_way_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"write out: /else/where: no permission"), storage_errors(Path("out")):
        raise PermissionError(errno.EACCES, "", "/else/where")
    for own in (tmp_path / "out.png", tmp_path / ".out.part.png", tmp_path / "out.png" / "below", tmp_path):
        with pytest.raises(StorageError) as refused, storage_errors(tmp_path / "out.png"):
            raise PermissionError(errno.EACCES, "", str(own))
        assert str(refused.value).startswith(f"cannot write {tmp_path / 'out.png'}: no permission; ")


def test_an_error_of_the_system_is_one_line_and_a_bug_stays_a_bug():
    said = {
        PermissionError(errno.EACCES, "", "a"): "a: no permission; ",
        OSError(errno.ELOOP, "", b"a"): "a: its symbolic links lead in a circle; ",
        OSError(errno.EBUSY, "Device or resource busy", Path("a")): "a: Device or resource busy",
        OSError(errno.ENOSPC, ""): "the disk is full; ",
    }
    for problem, words in said.items():
        with pytest.raises(StorageError) as refused, os_errors():
            raise problem
        assert str(refused.value).startswith(words)
    for bug in (OSError("strange"), OSError(errno.EBADF, "", 3), ValueError("a")):
        with pytest.raises(type(bug)) as raised, os_errors():
            raise bug
        assert raised.value is bug
