"""Functions in a file of the user's own: run once, as `python FILE.py` would run it, and blamed by file and line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from steadygan.config import python_function
from steadygan.errors import ConfigError

LAZY = """
import sys
def lazy():
    from blocks import WORD
    return WORD, sys.path[0]
def stream(count):
    for _ in range(count):
        import blocks
        yield blocks.WORD
"""


@pytest.fixture(autouse=True)
def _same_path_and_modules_afterwards(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in {"blocks", "inner", "inner.part"} & (sys.modules.keys() - before):
        del sys.modules[name]


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def ask(folder: Path, name: str = "mine", function: str = "lazy"):
    return python_function("--recipe", f"{folder / name}.py:{function}")


def test_a_file_is_run_once_however_often_its_function_is_called(tmp_path):
    counting = "import pathlib\nwith pathlib.Path(__file__ + '.runs').open('a') as runs:\n    runs.write('x')\n"
    write(tmp_path, mine=counting + "def double(x):\n    return 2 * x\n")
    function = ask(tmp_path, function="double")
    assert [function(1), function(2)] == [2, 4]
    assert (tmp_path / "mine.py.runs").read_text() == "x"


def test_a_file_imports_what_lies_beside_it_and_so_does_its_function_later(tmp_path, monkeypatch):
    write(tmp_path, blocks="WORD = 'beside'", mine="import blocks\n" + LAZY)
    write(tmp_path / "inner", part="WORD = 'inside'")
    write(tmp_path, packed="from inner.part import WORD\ndef word():\n    return WORD\n")
    before = list(sys.path)
    assert ask(tmp_path)() == ("beside", str(tmp_path))
    assert list(ask(tmp_path, function="stream")(2)) == ["beside"] * 2
    assert ask(tmp_path, "packed", "word")() == "inside"
    assert sys.path == [*before, str(tmp_path)], "what its objects import later is found, and hides nothing"


def test_what_the_code_prints_leaves_the_standard_output_alone(tmp_path, capsys):
    text = "print('read')\ndef stream():\n    print('called')\n    yield 1\n"
    assert list(python_function("--recipe", f"{write(tmp_path / 'f', mine=text)}/mine.py:stream")()) == [1]
    assert capsys.readouterr() == ("", "read\ncalled\n")


def test_two_files_each_find_the_module_of_one_name_that_lies_beside_them(tmp_path):
    for word in ("one", "another"):
        write(tmp_path / word, blocks=f"WORD = {word!r}", mine=LAZY)
        assert ask(tmp_path / word)() == (word, str(tmp_path / word))
    write(tmp_path / "another", blocks="WORD = 'changed, and longer'")
    assert ask(tmp_path / "another")()[0] == "changed, and longer", "as in a new process"


ODD = """
import sys, types
class Odd(types.ModuleType):
    def __getattr__(self, name):
        return 3
sys.modules["odd"] = Odd("odd")
def lazy():
    return "done"
"""


def test_modules_that_were_made_up_are_no_hindrance(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "odd", None)
    del sys.modules["odd"]
    write(tmp_path, odd=ODD)
    assert [ask(tmp_path, "odd")() for _ in range(2)] == ["done"] * 2


def test_a_folder_that_stood_on_the_path_before_stays_there(tmp_path):
    write(tmp_path / "one", blocks="WORD = 1", mine=LAZY)
    write(tmp_path / "other", blocks="WORD = 2", mine=LAZY)
    sys.path.insert(0, str(tmp_path / "one"))
    before = list(sys.path)
    for folder in ("one", "other", "one"):
        ask(tmp_path / folder)
    assert sys.path == before


def test_a_file_is_no_program_and_its_classes_know_their_module(tmp_path):
    text = """
        from __future__ import annotations
        import sys, typing, dataclasses, pydantic
        Width = int
        @dataclasses.dataclass
        class Net:
            width: Width = 3
        class Model(pydantic.BaseModel):
            width: Width = 4
        def kinds():
            return typing.get_type_hints(Net)["width"], Model().width, sys.modules[Net.__module__].Net is Net
        if __name__ == "__main__":
            raise SystemExit(3)
    """
    write(tmp_path, mine="\n".join(line[8:] for line in text.splitlines()))
    assert ask(tmp_path, function="kinds")() == (int, 4, True)


@pytest.mark.parametrize(
    ("text", "said"),
    {
        "x = 1\ny = (\n": "mine.py, line 2: SyntaxError: '(' was never closed",
        "import wrong\n": "wrong.py, line 2: SyntaxError: invalid syntax",
        "from . import blocks\n": "mine.py, line 1: ImportError: attempted relative import",
        "import no_such_thing\n": "mine.py, line 1: ModuleNotFoundError: No module named 'no_such_thing'",
        "def lazy():\n    import falls\n    falls.down()\n": "falls.py, line 3: RuntimeError: first line; second line",
        "import sys\ndef lazy():\n    sys.exit('enough')\n": "mine.py, line 3: SystemExit: enough",
        "import steadygan as sg\ndef lazy():\n    return sg.RunConfig(batchh=3)\n": (
            "mine.py, line 3: RunConfig: batchh: no such setting; did you mean 'batch'?"
        ),
        "import steadygan as sg\nsg.DCGAN(widht=3)\n": (
            "mine.py, line 2: DCGAN: widht: no such setting; did you mean 'width'?"
        ),
        "lazy = 3\n": "has no function lazy",
        "def lazy():\n    yield 1\n    1 / 0\n": "mine.py, line 3: ZeroDivisionError: division by zero",
    }.items(),
)
def test_what_is_wrong_in_the_users_files_is_said_in_one_line_with_its_place(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    falls = "def down():\n    # deep\n    raise RuntimeError('first line\\n\\n  second line')\n"
    write(tmp_path, mine=text, wrong="x = 1\ny = = 2\n", falls=falls)
    with pytest.raises(ConfigError) as caught:
        list(python_function("--recipe", "mine.py:lazy")())
    assert str(caught.value).startswith("--recipe mine.py:lazy: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
