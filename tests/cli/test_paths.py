"""Every path that a command takes: a wrong one is one line that names it, an output stays what it is."""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
import socket
import stat
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import get_type_hints

import pytest

import steadygan as sg
from steadygan.cli import bench
from steadygan.cli.main import app, main
from tiny import TINY, draw, set_options

EVALUATE = "evaluate run set --metrics swd,memorised -n 16"
# where `{}` is the path, and what a name of it must end in
INPUTS = {
    ("prepare", "source"): ("prepare {} -o new", ""),
    ("inspect", "path"): ("inspect {}", ""),
    ("train", "source"): ("train {} -o new", ""),
    ("train", "recipe"): ("train set -o new --recipe {}", ".toml"),
    ("train", "start"): ("train set -o new --from {}", ""),
    ("resume", "run"): ("resume {}", ""),
    ("resume", "data"): ("resume run --steps 9 --data {}", ""),
    ("resume", "recipe"): ("resume run --steps 9 --recipe {}", ".toml"),
    ("sample", "recipe"): ("sample run -o out.png --recipe {}", ".toml"),
    ("export", "recipe"): ("export run -o out.safetensors --recipe {}", ".toml"),
    ("evaluate", "recipe"): ("evaluate run set --recipe {}", ".toml"),
    ("probe", "recipe"): ("probe run set --recipe {}", ".toml"),
    ("sample", "run"): ("sample {} -o new.png", ".safetensors"),
    ("sample", "latents"): ("sample run -o new.png --latents {}", ".npy"),
    ("project", "run"): ("project {} pictures/a/0000.png -o new", ".safetensors"),
    ("project", "photos"): ("project run {} -o new", ""),
    ("project", "recipe"): ("project run pictures/a/0000.png -o new --recipe {}", ".toml"),
    ("export", "run"): ("export {} -o new.safetensors", ""),
    ("evaluate", "subject"): ("evaluate {} set", ""),
    ("evaluate", "reals"): ("evaluate run {}", ""),
    ("evaluate", "features"): ("evaluate run set --features {}", ".pt2"),
    ("ablate", "source"): ("ablate {} --vary lecam --images 64 --dry-run", ""),
    ("ablate", "recipe"): ("ablate set --vary lecam --images 64 --dry-run --recipe {}", ".toml"),
    ("ablate", "features"): ("ablate set --vary lecam --images 64 --dry-run --features {}", ".pt2"),
    ("study-job", "study"): ("study-job {} base 0", ""),
    ("tune", "source"): ("tune {} --over batch=8|16 --images 64 -o new --dry-run", ""),
    ("tune", "recipe"): ("tune set --over batch=8|16 --images 64 -o new --dry-run --recipe {}", ".toml"),
    ("turing", "run"): ("turing {} --pairs 2 --no-open", ""),
    ("turing", "reals"): ("turing run {} --pairs 2 --no-open", ""),
    ("turing", "recipe"): ("turing run --pairs 2 --no-open --recipe {}", ".toml"),
    ("evaluate", "weights"): ("evaluate run set --features inception --weights {}", ".pt"),
    ("compare", "runs"): ("compare run {}", ""),
    ("report", "runs"): ("report {}", ""),
    ("note", "run"): ("note {} text", ""),
    ("cite", "run"): ("cite {}", ""),
    ("probe", "run"): ("probe {}", ""),
    ("probe", "reals"): ("probe run {}", ""),
    ("doctor", "target"): ("doctor {}", ""),
    ("doctor", "data"): ("doctor dcgan --data {}", ""),
    ("bench prepare", "folder"): ("bench prepare {} --rounds 1", ""),
    ("bench modes", "data"): ("bench modes --data {} --images 16", ""),
}
ALSO_INPUTS = {
    "recipe in Python": ("train set -o new --recipe {}:faces", ".py"),
    "subject in Python": ("evaluate {}:draw set", ".py"),
    "an exported subject": ("evaluate {} set", ".safetensors"),
    "an exported start": ("train set -o new --from {}", ".safetensors"),
    "a folder of a model": ("sample {} -o new.png", ""),
    "a checkpoint": ("sample run -o new.png --checkpoint {}", ""),
}
FILES = {
    ("sample", "out"): ("sample run -n 2 -o {}", ".png"),
    ("export", "out"): ("export run -o {}", ".safetensors"),
    ("project", "out"): ("project run pictures/a/0000.png --steps 1 -o {}", ".safetensors"),
    ("inspect", "html"): ("inspect set --html {}", ".html"),
    ("inspect", "json"): ("inspect set --json {}", ".json"),
    ("compare", "json"): ("compare run run --json {}", ".json"),
    ("report", "out"): ("report run -o {}", ".html"),
    ("evaluate", "json"): (EVALUATE + " --json {}", ".json"),
    ("evaluate", "nearest"): (EVALUATE + " --nearest {}", ".png"),
    ("probe", "json"): ("probe run --json {}", ".json"),
    ("doctor", "json"): ("doctor run --json {}", ".json"),
    ("recipes", "json"): ("recipes dcgan --json {}", ".json"),
    ("train", "json"): ("train set --dry-run --json {}", ".json"),
    ("turing", "json"): ("turing run --pairs 2 --no-open --json {}", ".json"),
    ("tune", "json"): ("tune set --over batch=8|16 --images 64 -o new --dry-run --json {}", ".json"),
    ("ablate", "json"): ("ablate set --vary lecam --images 64 --dry-run --json {}", ".json"),
    ("bench device", "out"): ("bench device --device cpu --minutes 0.000001 -o {}", ".png"),
    ("bench device", "json"): ("bench device --device cpu --minutes 0.000001 --json {}", ".json"),
}
SLOW = {(name, "json") for name in ("probe", "ablate", "tune", "turing", "evaluate")} | {
    ("project", "out"),
    ("evaluate", "nearest"),
}
"""Long ones of which one like it is tested by default."""

WALKS = {"a walk": ("sample run -n 2 --frames 2 -o {}", ".gif")}
FOLDERS = {
    ("prepare", "out"): ("prepare pictures --size 16 -o {}", ""),
    ("train", "out"): (f"train set --size 16 --steps 1 {' '.join(set_options(TINY))} -o {{}}".replace('"', ""), ""),
    ("tune", "out"): ("tune set --over batch=8|16 --images 64 -o {}", ""),
    ("ablate", "out"): ("ablate set --vary lecam --images 64 -o {}", ""),
    ("export", "hub_folder"): ("export run --hub-folder {}", ""),
    ("bench modes", "folder"): ("bench modes --data ring --recipes dcgan --seeds 1 --images 16 --folder {}", ""),
}
ALSO_FOLDERS = {
    "a projection": ("project run pictures/a/0000.png --steps 1 -o {}", ""),
    "pictures": ("sample run -n 2 -o {}", ""),
    "a set as pictures": ("export set -o {}", ""),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with pictures, a set made of them and a run trained on it."""
    world = tmp_path_factory.mktemp("world")
    for seed, label in enumerate(("a", "b")):
        draw(world / "pictures" / label, 100, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world)
        train = ["train", "set", "-o", "run", *set_options(TINY), "--size", "16", "--steps", "4"]
        for words in (["prepare", "pictures", "-o", "set", "--size", "16"], train):
            assert exit_code(words) == 0
    return world


@pytest.fixture
def here(world, tmp_path, monkeypatch):
    """A folder that has all of the world in it, in which a test may do as it likes."""
    for name in ("pictures", "set"):
        (tmp_path / name).symlink_to(world / name)
    shutil.copytree(world / "run", tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sick(here, monkeypatch):
    """A function that gives a path in a folder on which everything fails with this error of the system."""

    def fall(number: int, suffix: str = "") -> str:
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
        return str(here / "sick" / f"name{suffix}")

    return fall


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
    return f"pictures/a/0000.png/b{suffix}"


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
TO_FOLDERS = (*FOLDERS, *ALSO_FOLDERS, "train's folder", "prepare's folder")
AS_THEY_ARE = {(a_pipe, name) for name in (*FILES, *WALKS, "save")} | {(a_folder, name) for name in TO_FOLDERS}


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


SICK = (errno.EACCES, errno.EIO, errno.EROFS, errno.ESTALE)
ERRORS = (*WRONG, *SICK)


def takes_long(name: object) -> bool:
    return "bench" in str(name) or name in SLOW


def called(it: object) -> str:
    return errno.errorcode[it] if isinstance(it, int) else getattr(it, "__name__", str(it))


def cases(lines) -> list:
    """All lines with all errors; but for one error of each line, they are for the slow tests."""
    return [
        pytest.param(
            name,
            error,
            id=f"{' '.join(name) if isinstance(name, tuple) else name}-{called(error)}",
            marks=() if row % len(ERRORS) == column and not takes_long(name) else pytest.mark.slow,
        )
        for row, name in enumerate(lines)
        for column, error in enumerate(ERRORS)
        if (error, name) not in AS_THEY_ARE and not (name == "a checkpoint" and error in SICK)
    ]


@pytest.mark.parametrize(("name", "error"), cases(LINES))
def test_a_path_that_cannot_be_used_is_named_in_one_line(here, capsys, sick, name, error):
    if name == ("evaluate", "weights") and not find_spec("torchvision"):
        pytest.skip("needs the networks that take weights")
    line, suffix = LINES[name]
    path = sick(error, suffix) if error in SICK else error(suffix)
    said = refused(line, path, capsys)
    assert Path(path).name in said or Path(path).parts[0] in said or str(Path(path).parent) in said


PYTHON = {
    "train": lambda path: sg.train(path, steps=1),
    "train's folder": lambda path: sg.train("set", steps=1, out=path),
    "train's start": lambda path: sg.train("set", steps=1, start=path),
    "train's recipe": lambda path: sg.train("set", steps=1, recipe=path),
    "resume": sg.resume,
    "load": sg.load,
    "save": lambda path: sg.load("run").save(path),
    "evaluate": lambda path: sg.evaluate(path, "set"),
    "evaluate's reals": lambda path: sg.evaluate("run", path),
    "compare": lambda path: sg.compare([path]),
    "prepare": lambda path: sg.prepare(path, "new"),
    "prepare's folder": lambda path: sg.prepare("pictures", path),
    "inspect": sg.inspect,
    "open_dataset": sg.open_dataset,
    "save_images": lambda path: sg.save_images(sg.open_dataset("set"), path),
    "Run.info": lambda path: sg.Run(path).info(),
}


@pytest.mark.parametrize(("name", "error"), cases(PYTHON))
def test_in_python_it_is_one_of_our_errors(here, sick, name, error):
    suffix = {"save": ".safetensors", "train's recipe": ".toml"}.get(name, "")
    path = sick(error, suffix) if error in SICK else error(suffix)
    with pytest.raises(sg.SteadyganError) as refusal:
        PYTHON[name](path)
    said = str(refusal.value)
    assert Path(path).name in said or Path(path).parts[0] in said or str(Path(path).parent) in said


def test_a_cache_that_cannot_be_used_is_named(here, capsys, monkeypatch):
    monkeypatch.setenv("STEADYGAN_CACHE", through_a_file(""))
    said = refused("train {} -o new --size 16", "pictures", capsys)
    assert "file/b" in said
    assert "STEADYGAN_CACHE" in said


@pytest.mark.parametrize(
    "name",
    [pytest.param(it, marks=pytest.mark.slow if takes_long(it) else (), id=str(it)) for it in (*FILES, *WALKS)],
)
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
    assert len(read[0]) > 50
    assert link.is_symlink()
    assert far.stat().st_size > 50
    assert all(path.is_char_device() for path in devices(here, suffix))


def test_a_pipe_of_any_name_gets_a_grid_and_nothing_else_is_printed(here, capsys):
    pipe, read = here / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert exit_code(f"sample run -n 2 -o {pipe}".split()) == 0
    reader.join()
    assert read[0].startswith(b"\x89PNG")
    assert capsys.readouterr().out == ""


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
    assert exit_code(["inspect", "set", "--html", "out"]) == 0
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
    groups = {"": app.registered_commands, "bench ": bench.app.registered_commands}
    functions = {
        f"{group}{one.name or one.callback.__name__}": one.callback for group, ones in groups.items() for one in ones
    }
    hints = {name: get_type_hints(function) for name, function in functions.items()}
    kinds = ("Path", "str", "List[str]")
    return {(n, p) for n, all_ in hints.items() for p, hint in all_.items() if any(kind in str(hint) for kind in kinds)}


NO_PATHS = """
    fit crop channels frames background duplicates bands xyz bbox attribution device precision set_ label metrics split
    checkpoint text name recipes labels pick column loss care licence
    vary metric variant over
""".split()  # noqa: SIM905


def test_every_path_on_the_command_line_is_in_one_of_the_lists():
    named = {(command, parameter) for command, parameter in parameters() if parameter not in NO_PATHS}
    serve = {("studio", "folder"), ("serve-pictures", "run")}  # tried where they are asked
    known = {*INPUTS, *FILES, *FOLDERS, *serve}
    assert named - known == set(), "list it as an input, a file or a folder, so that it is tried"
    assert known - named == set()
