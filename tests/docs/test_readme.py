"""The README's examples are run: a newcomer types nothing that does not work."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from steadygan.cli.main import main
from steadygan.recipes import RECIPES, describe
from tiny import TINY, draw, set_options

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SMALL = TINY | {"size": 16}


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "album", 2)
    shutil.copy(next((tmp_path / "album").glob("*.png")), "photo.png")
    return draw(tmp_path / "photos", 170)  # of which enough are held out to be compared with


def test_python_examples_run_as_they_stand_but_shorter(photos):
    blocks = _blocks("python")
    assert len(blocks) == 2
    for block in blocks:
        shorter = block.replace("images=200_000", f"images=128, settings={SMALL!r}")
        exec(compile(shorter, "README.md", "exec"), {})  # noqa: S102
    assert Path("runs/c/progress.gif").exists()
    assert Path("generator.safetensors").exists()


def test_command_lines_run_as_they_stand_but_smaller(photos):
    (block,) = _blocks("sh")
    small = [*set_options(TINY), "--size", "16"]
    lines = [line for line in block.splitlines() if line.startswith("steadygan")]
    assert len(lines) >= 9
    for line in lines:
        words = shlex.split(
            re.sub(r"--minutes \d+", "--steps 2" if "train" in line else "--steps 4", line), comments=True
        )
        with pytest.raises(SystemExit) as left:
            main(words[1:] + {"train": small, "project": ["--steps", "2"], "turing": ["--no-open"]}.get(words[1], []))
        assert left.value.code in (0, None), line
    for file in ("faces.png", "walk.gif", "generator.safetensors", "runs/b/run.json"):
        assert Path(file).exists(), file


def test_the_table_of_recipes_is_the_list_of_recipes():
    for name in RECIPES:
        assert f"| `{name}` | {describe(name)} |" in README
