"""What is printed can be printed everywhere: in any encoding, into a pipe that nobody reads, into no stream at all."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

import steadygan as sg
from steadygan import terminal
from steadygan.cli import answers
from steadygan.cli.main import app, main
from steadygan.terminal import Stream, plain_streams
from steadygan.training.console import Bars
from tiny import TINY, command, draw, set_options

ENCODINGS = ("ascii", "cp1252", "latin-1")
ODD = "München – 日本 → ½ × σ² ≤ 3 ✓ \udce9"
COMMANDS = [entry.name or entry.callback.__name__ for entry in app.registered_commands]
SOURCES = Path(sg.__file__).parent


def narrow(encoding: str) -> io.TextIOWrapper:
    """A stream of that encoding, as strict as a stream is that was redirected."""
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", newline="\n", write_through=True)


def shown(stream: io.TextIOWrapper) -> str:
    return stream.buffer.getvalue().decode(stream.encoding, "strict")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with names that few encodings have, a run trained on it, and a set made of it."""
    world = tmp_path_factory.mktemp("world")
    draw(world / "Zürich → 日本", 40)
    (world / "Zürich → 日本" / "schöne Aussicht.png").write_bytes(b"no picture")
    (world / "run").symlink_to("läuft")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world)
        line = ["train", "Zürich → 日本", "-o", "läuft", *set_options(TINY), "--size", "16", "--steps", "8"]
        for words in (line, ["prepare", "Zürich → 日本", "-o", "sät", "--size", "16"]):
            with pytest.raises(SystemExit) as left:
                main(words)
            assert not left.value.code
    return world


@pytest.fixture
def say(world, monkeypatch):
    """Run a command whose streams have this encoding; give its exit code and what it said on both."""

    def run(encoding: str, *words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(world)
        out, err = narrow(encoding), narrow(encoding)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as left:
            main(list(words))
        monkeypatch.undo()
        return int(left.value.code or 0), shown(out), shown(err)

    return run


QUICK = ["--vary", "r1", "--images", "64", "--batch", "8", "--size", "16", "--set", "data.held_out=0.4", "--dry-run"]
LINES = {
    "prepare": ["prepare", "Zürich → 日本", "-o", "sät", "--size", "16"],
    "inspect": ["inspect", "Zürich → 日本"],
    "inspect a set": ["inspect", "sät"],
    "train": ["train", "Zürich → 日本", "--dry-run"],
    "resume": ["resume", "läuft", "--steps", "9"],
    "sample": ["sample", "läuft", "-n", "1", "-o", "bild → 1.png"],
    "project": ["project", "läuft", "Zürich → 日本/0000.png", "--steps", "1", "-o", "gefunden → 1.png"],
    "export": ["export", "läuft", "-o", "größe.safetensors"],
    "evaluate": ["evaluate", "läuft", "--metrics", "swd", "-n", "16", "--split", "all"],
    "evaluate's metrics": ["evaluate", "--list"],
    "probe": ["probe", "läuft"],
    "turing": ["turing", "läuft", "--pairs", "2", "--no-open"],
    "compare": ["compare", "läuft", "run"],
    "report": ["report", "läuft"],
    "ablate": ["ablate", "Zürich → 日本", *QUICK],
    "tune": ["tune", "Zürich → 日本", "--over", "batch=8|16", "--images", "64", "-o", "gesucht", "--dry-run"],
    "study-job": ["study-job", "läuft", "r1", "0"],
    "doctor": ["doctor", "läuft"],
    "doctor's rules": ["doctor", "--rules"],
    "note": ["note", "läuft", ODD[:-1]],
    "recipes": ["recipes"],
    "recipe": ["recipes", "steady"],
    "techniques": ["techniques"],
    "technique": ["techniques", "r1"],
    "cite": ["cite", "läuft"],
    "bibtex": ["cite", "läuft", "--bibtex"],
}
SERVES = {"studio", "serve-pictures"}  # until it is ended, which the tests of its pages do
SLOW = {  # once is enough
    "ablate",
    "compare",
    "evaluate",
    "inspect",
    "prepare",
    "probe",
    "project",
    "resume",
    "sample",
    "turing",
}


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        pytest.param(encoding, name, marks=() if encoding in ("ascii", ENCODINGS[row % 3]) else pytest.mark.slow)
        for row, name in enumerate(LINES)
        for encoding in ENCODINGS
        if encoding == "ascii" or name not in SLOW
    ],
)
def test_every_command_speaks_in_every_encoding(say, encoding, name):
    code, _, err = say(encoding, *LINES[name])
    assert code == {"probe": 4, "study-job": 2}.get(name, 0), err  # there are no classes to know, and no study


def test_no_command_was_left_out():
    assert {*COMMANDS} - SERVES <= {line[0] for line in LINES.values()}


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_speaks_in_ascii(say, name):
    assert say("ascii", *name.split(), "--help")[0] == 0


@pytest.mark.parametrize("words", [["inspect", "Straße → 日\udce9"], ["train", "x", "--set", f"{ODD}=3"], [ODD]])
def test_a_mistake_is_said_in_every_encoding(say, words):
    for encoding in (*ENCODINGS, "utf-8"):
        code, _, err = say(encoding, *words)
        assert code == 2
        assert "this is a bug" not in err
    assert "this is a bug" not in say("ascii", *words)[2]


@pytest.mark.slow
def test_json_stays_json_and_means_the_same(say, world):
    for words in (["inspect", "Zürich → 日本", "--json"], ["compare", "läuft", "--json"]):
        found = [json.loads(say(encoding, *words)[1]) for encoding in ("utf-8", "ascii")]
        assert found[0] == found[1]
    assert found[0]["runs"] == ["läuft"]
    (world / "caf\udce9").symlink_to("Zürich → 日本")
    path = json.loads(say("utf-8", "inspect", "caf\udce9", "--json")[1])["path"]
    assert os.fsencode(path) == b"caf\xe9"
    assert answers._escaped("😀") == r"\ud83d\ude00"


@pytest.mark.parametrize("options", [["--images", "2"], []])
def test_a_name_of_what_was_written_is_one_line(say, options):
    ending = "" if options else ".safetensors"
    code, out, err = say("utf-8", "export", "läuft", *options, "-o", f"two\nlines{ending}")
    assert code == 0, err
    assert out == f"two\\nlines{ending}\n"


def test_a_configuration_printed_in_ascii_is_the_same_configuration(say):
    source = {tomllib.loads(say(encoding, *LINES["train"])[1])["data"]["source"] for encoding in ("utf-8", *ENCODINGS)}
    assert [Path(one).name for one in source] == ["Zürich → 日本"]


def test_plain_characters_take_the_place_of_those_that_are_missing():
    out = narrow("ascii")
    Stream(out).write("a → b × ½ Fréchet ≤ ł “ø” ✓ ‖∇‖ γ… │─┼ \udce9 日")
    assert shown(out) == 'a -> b x 1/2 Frechet <= l "o" ok ||\\u2207|| gamma... |-+ \\xe9 \\u65e5'


def test_everything_that_the_program_can_say_has_a_plain_likeness():
    said = {c for file in SOURCES.rglob("*.py") for c in file.read_text(encoding="utf-8") if ord(c) > 127}
    assert len(said) > 20
    assert [c for c in said if terminal._spelled(c).startswith("\\")] == []


def test_bars_and_tables_of_a_terminal_without_lines_are_drawn_in_plain_ones():
    terminal = narrow("ascii")
    terminal.isatty = lambda: True
    bars = Bars(Stream(terminal))
    for done in range(3):
        bars.counting("preparing images", done, 2)
    bars.close()
    bars.say(ODD)
    assert "Munchen - \\u65e5\\u672c -> 1/2 x sigma2 <= 3 ok \\udce9" in shown(terminal)


class Broken(io.StringIO):
    """A stream that fails with this error."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("kind", [32, 5, 9])
def test_a_reader_that_left_ends_nothing(monkeypatch, kind):
    monkeypatch.setattr(sys, "stdout", Broken(kind))
    monkeypatch.setattr(sys, "stderr", Broken(28))
    with plain_streams():
        for _ in range(2):
            typer.echo("once, and twice")
            typer.echo("an error", err=True)
    assert isinstance(sys.stdout, Broken)


def test_an_output_that_fills_the_disk_is_said(say, monkeypatch, world, capsys):
    monkeypatch.setattr(sys, "stdout", Broken(28))
    with pytest.raises(SystemExit) as left:
        main(["recipes"])
    assert left.value.code == 4
    assert capsys.readouterr().err == "steadygan: the standard output: the disk is full; free some space\n"


CLOSED = {
    "head": "{} techniques | head -n 1",
    "a reader that never reads": "{} --help | true",
    "errors to nobody": "{} --help 2>&1 >&- | true",
    "no output": "{} --help >&-",
    "no streams": "{} --help >&- 2>&- <&-",
}


@pytest.mark.parametrize("line", CLOSED)
def test_in_a_shell_a_closed_pipe_or_stream_is_no_failure(line, tmp_path):
    words = f"set -o pipefail; {CLOSED[line].format(' '.join(command()))}"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(("encoding", "words"), [("ascii", ["techniques", "r1"]), ("cp1252", ["trían →"])])
def test_a_process_of_another_encoding_speaks_in_it(encoding, words):
    setting = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command(*words), capture_output=True, env=os.environ | setting, check=False)
    said = (done.stdout + done.stderr).decode(encoding)
    assert "gamma/2 E[||grad" in said or "no such command 'trían ->'" in said, said


def test_a_full_disk_behind_the_standard_output_is_a_failure():
    if not Path("/dev/full").is_char_device():
        pytest.skip("needs the device that is always full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(command("--help"), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr == "steadygan: the standard output: the disk is full; free some space\n"
