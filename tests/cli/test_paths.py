"""Every path that a command takes: a wrong one is one line that names it, an output stays what it is."""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
import signal
import socket
import stat
import threading
from pathlib import Path

import pytest
import typer

import steadygan as sg
from steadygan.cli.main import app, main
from tiny import TINY, draw, set_options

EVALUATE = "evaluate run set --metrics swd,memorised -n 16"
# where `{}` is the path, and what a name of it must end in
INPUTS = {
    ("prepare", "source"): ("prepare {} -o new", ""),
    ("inspect", "path"): ("inspect {}", ""),
    ("train", "source"): ("train {} -o new", ""),
    ("train", "recipe"): ("train set -o new --recipe {}", ".toml"),
    ("resume", "run"): ("resume {}", ""),
    ("resume", "data"): ("resume run --steps 9 --data {}", ""),
    ("resume", "recipe"): ("resume run --steps 9 --recipe {}", ".toml"),
    ("sample", "run"): ("sample {} -o new.png", ".safetensors"),
    ("export", "run"): ("export {} -o new.safetensors", ""),
    ("evaluate", "subject"): ("evaluate {} set", ""),
    ("evaluate", "reals"): ("evaluate run {}", ""),
    ("evaluate", "features"): ("evaluate run set --features {}", ".pt2"),
    ("evaluate", "weights"): ("evaluate run set --features inception --weights {}", ".pt"),
    ("compare", "runs"): ("compare run {}", ""),
    ("note", "run"): ("note {} text", ""),
    ("cite", "run"): ("cite {}", ""),
    ("bench prepare", "folder"): ("bench prepare {} --rounds 1", ""),
    ("bench scores", "source"): ("bench scores {} --size 16", ""),
    ("bench modes", "data"): ("bench modes --data {} --images 16", ""),
}
ALSO_INPUTS = {
    "recipe in Python": ("train set -o new --recipe {}:faces", ".py"),
    "subject in Python": ("evaluate {}:draw set", ".py"),
    "an exported subject": ("evaluate {} set", ".safetensors"),
    "a run to probe": ("evaluate {} --probe", ""),
    "a checkpoint": ("sample run -o new.png --checkpoint {}", ""),
}
FILES = {
    ("sample", "out"): ("sample run -n 2 -o {}", ".png"),
    ("export", "out"): ("export run -o {}", ".safetensors"),
    ("inspect", "html"): ("inspect set --html {}", ".html"),
    ("evaluate", "json"): (EVALUATE + " --json {}", ".json"),
    ("evaluate", "nearest"): (EVALUATE + " --nearest {}", ".png"),
    ("bench scores", "picture"): ("bench scores set --metrics swd -n 16 --picture {}", ".png"),
}
WALKS = {"a walk": ("sample run -n 2 --frames 2 -o {}", ".gif")}
FOLDERS = {
    ("prepare", "out"): ("prepare pictures --size 16 -o {}", ""),
    ("train", "out"): (f"train set --size 16 --steps 1 {' '.join(set_options(TINY))} -o {{}}".replace('"', ""), ""),
    ("bench modes", "folder"): ("bench modes --data ring --recipes dcgan --seeds 1 --images 16 --folder {}", ""),
    ("bench feed", "folder"): ("bench feed --gigabytes 0.001 --seconds 0.01 --folder {}", ""),
}
ALSO_FOLDERS = {"pictures": ("sample run -n 2 -o {}", ""), "a set as pictures": ("export set -o {}", "")}
NO_PATHS = {"bench step", "bench overhead", "recipes", "techniques"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with pictures, a set made of them and a run trained on it."""
    world = tmp_path_factory.mktemp("world")
    draw(world / "pictures", 200)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world)
        train = ["train", "set", "-o", "run", *set_options(TINY), "--size", "16", "--steps", "4"]
        for words in (["prepare", "pictures", "-o", "set", "--size", "16"], train):
            assert exit_code(words) == 0
    return world


@pytest.fixture
def here(world, tmp_path, monkeypatch):
    """A folder that has all of the world in it, to which a test may do as it likes; nothing in it may take minutes."""
    for name in ("pictures", "set"):
        (tmp_path / name).symlink_to(world / name)
    shutil.copytree(world / "run", tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # or commands would take the alarm away
    signal.alarm(100)
    yield tmp_path
    signal.alarm(0)


def exit_code(words: list[str]) -> int:
    with pytest.raises(SystemExit) as left:
        main(words)
    return int(left.value.code or 0)


def long_name(suffix: str) -> str:
    return "x" * 300 + suffix


def long_path(suffix: str) -> str:
    return "/".join(["y" * 200] * 30) + suffix


def circle(suffix: str) -> str:
    Path(f"a{suffix}").symlink_to(f"b{suffix}")
    Path(f"b{suffix}").symlink_to(f"a{suffix}")
    return f"a{suffix}"


def through_a_circle(suffix: str) -> str:
    return f"{circle('')}/c{suffix}"


def through_a_file(suffix: str) -> str:
    Path("file").write_text("text")
    return f"file/b{suffix}"


def through_a_picture(suffix: str) -> str:
    return f"pictures/0000.png/b{suffix}"


def a_folder(suffix: str) -> str:
    Path(f"folder{suffix}").mkdir()
    return f"folder{suffix}"


def a_pipe(suffix: str) -> str:
    os.mkfifo(f"pipe{suffix}")
    return f"pipe{suffix}"


def a_socket(suffix: str) -> str:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"socket{suffix}")
    return f"socket{suffix}"


WRONG = (long_name, long_path, circle, through_a_circle, through_a_file, through_a_picture, a_folder, a_pipe, a_socket)
LINES = {**INPUTS, **ALSO_INPUTS, **FILES, **WALKS, **FOLDERS, **ALSO_FOLDERS}
AS_THEY_ARE = {(a_pipe, name) for name in (*FILES, *WALKS)} | {(a_folder, name) for name in (*FOLDERS, *ALSO_FOLDERS)}


def refused(line: str, path: str, capsys) -> str:
    """Run a command that cannot use this path, and give the line that it says at the end."""
    capsys.readouterr()
    code = exit_code(line.format(path).split())
    errors = capsys.readouterr().err
    said = [text for text in errors.splitlines() if text.startswith("steadygan: ")]
    assert code in (2, 4), errors[-2000:]
    assert said == errors.splitlines()[-1:], errors[-2000:]
    assert "this is a bug" not in said[0], said[0][-2000:]
    assert "Errno" not in said[0], said[0][-2000:]
    return said[0]


@pytest.mark.parametrize("make", WRONG)
@pytest.mark.parametrize("name", LINES, ids=str)
def test_a_path_that_cannot_be_used_is_named_in_one_line(here, capsys, name, make):
    if (make, name) in AS_THEY_ARE:
        pytest.skip("that is what it is for")
    line, suffix = LINES[name]
    path = make(suffix)
    said = refused(line, path, capsys)
    assert Path(path).name in said or Path(path).parts[0] in said


SICK = (errno.EACCES, errno.EIO, errno.EROFS, errno.ESTALE)


@pytest.fixture
def sick(monkeypatch):
    """A function after which whatever lies below a folder called sick fails with this error of the system."""

    def fall(number: int) -> None:
        def failing(function):
            def call(path, *others, **options):
                if isinstance(path, str | os.PathLike) and "sick" in Path(path).parts:
                    raise OSError(number, os.strerror(number), str(path))
                return function(path, *others, **options)

            return call

        places = {os: ("stat", "lstat", "open", "mkdir", "scandir", "listdir", "access"), io: ("open",)}
        for module, names in {**places, builtins: ("open",)}.items():
            for name in names:
                monkeypatch.setattr(module, name, failing(getattr(module, name)))

    return fall


@pytest.mark.parametrize("number", SICK, ids=errno.errorcode.get)
@pytest.mark.parametrize("name", LINES, ids=str)
def test_a_path_on_a_sick_disk_is_named_in_one_line(here, capsys, sick, name, number):
    line, suffix = LINES[name]
    if name == "a checkpoint":
        pytest.skip("is a name in a run")
    sick(number)
    assert "sick" in refused(line, str(here / "sick" / f"name{suffix}"), capsys)


PYTHON = {
    "train": lambda path: sg.train(path, steps=1),
    "train's folder": lambda path: sg.train("set", steps=1, out=path),
    "train's recipe": lambda path: sg.train("set", steps=1, recipe=f"{path}.toml"),
    "resume": sg.resume,
    "load": sg.load,
    "save": lambda path: sg.load("run").save(f"{path}.safetensors"),
    "evaluate": lambda path: sg.evaluate(path, "set"),
    "evaluate's reals": lambda path: sg.evaluate("run", path),
    "compare": lambda path: sg.compare([path]),
    "prepare": lambda path: sg.prepare(path, "new"),
    "prepare's folder": lambda path: sg.prepare("pictures", path),
    "inspect": sg.inspect,
    "open_dataset": sg.open_dataset,
    "save_images": lambda path: sg.save_images(sg.open_dataset("set"), path),
    "Run.info": lambda path: sg.Run(path).info(),
    "Run.log": lambda path: sg.Run(path).log(),
    "Run.scores": lambda path: sg.Run(path).scores(),
}


@pytest.mark.parametrize("name", PYTHON)
@pytest.mark.parametrize("make", [long_name, *SICK], ids=lambda it: getattr(it, "__name__", str(it)))
def test_in_python_it_is_one_of_our_errors(here, sick, name, make):
    path = make("") if callable(make) else str(here / "sick" / "name")
    if not callable(make):
        sick(make)
    with pytest.raises(sg.SteadyganError) as refusal:
        PYTHON[name](path)
    assert Path(path).name in str(refusal.value)


def test_a_cache_that_cannot_be_used_is_named(here, capsys, monkeypatch):
    monkeypatch.setenv("STEADYGAN_CACHE", through_a_file(""))
    said = refused("train {} -o new --size 16", "pictures", capsys)
    assert "file/b" in said
    assert "STEADYGAN_CACHE" in said


@pytest.mark.parametrize("name", [*FILES, *WALKS], ids=str)
def test_an_output_goes_through_links_and_into_pipes_and_devices(here, name, capsys):
    line, suffix = {**FILES, **WALKS}[name]
    pipe, link, far = (here / f"{kind}{suffix}" for kind in ("pipe", "link", "far"))
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    link.symlink_to(far.name)
    for path in (pipe, link, *devices(here, suffix)):
        assert exit_code(line.format(path).split()) == 0, capsys.readouterr().err
    reader.join(60)
    assert pipe.is_fifo()
    assert len(read[0]) > 100
    assert link.is_symlink()
    assert far.stat().st_size > 100
    assert all(path.is_char_device() for path in devices(here, suffix))


def devices(folder: Path, suffix: str) -> list[Path]:
    """A device of our own that takes everything, if we may make one; those of the machine are left alone."""
    device = folder / f"device{suffix}"
    try:
        if not device.exists():
            os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        device.open("ab").close()
    except OSError:
        return []
    return [device]


def test_an_output_may_be_the_standard_output(here, capfd):
    (here / "out").symlink_to("/proc/self/fd/1")
    if not (here / "out").exists():
        pytest.skip("needs a system that shows open files")
    assert exit_code("inspect set --html out".split()) == 0
    shown = capfd.readouterr().out
    assert "<h1>set</h1>" in shown
    assert "200 images" in shown
    assert (here / "out").is_symlink()


@pytest.mark.parametrize("name", [("prepare", "out"), *ALSO_FOLDERS, ("train", "out")], ids=str)
def test_a_folder_is_made_where_a_link_leads(here, name, capsys):
    line = {**FOLDERS, **ALSO_FOLDERS}[name][0]
    Path("link").symlink_to("far")
    assert exit_code(line.format("link").split()) == 0, capsys.readouterr().err
    assert Path("link").is_symlink()
    assert len(list(Path("far").iterdir())) > 1


def parameters() -> set[tuple[str, str]]:
    """(command, parameter) of everything on the command line that is a path, or a text that may be one."""
    group = typer.main.get_command(app)
    commands = {**group.commands, **{f"bench {name}": one for name, one in group.commands["bench"].commands.items()}}
    paths = {"path", "text"}
    return {(n, p.name) for n, one in commands.items() for p in one.params if p.type.name in paths if n != "bench"}


NO_PATH = """fit crop channels frames background duplicates bands xyz bbox attribution device precision set_ label
metrics split checkpoint text name recipes tile limit""".split()


def test_every_path_on_the_command_line_is_in_one_of_the_lists():
    named = {(command, parameter) for command, parameter in parameters() if parameter not in NO_PATH}
    known = {*INPUTS, *FILES, *FOLDERS}
    assert named - known == set(), "list it as an input, a file or a folder, so that it is tried"
    assert known - named == set()
