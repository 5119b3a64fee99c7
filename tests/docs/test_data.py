"""The examples of docs/data.md are run as they stand."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from steadygan.cli.main import main
from tiny import TINY, draw, set_options

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    draw(tmp_path / "photos", 12)
    draw(tmp_path / "a", 6)
    shutil.make_archive("b", "zip", "photos")
    shutil.make_archive("c", "gztar", "photos")


def test_the_examples_on_images_run(here):
    (shell,) = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    lines = [shlex.split(line, comments=True) for line in shell.splitlines() if line.startswith("steadygan")]
    assert len(lines) == 5
    for words in lines:
        small = [*set_options(TINY), "--steps", "1"] if words[1] == "train" else []
        with pytest.raises(SystemExit) as left:
            main(words[1:] + small)
        assert left.value.code in (0, None), words
    shutil.rmtree("sets/photos")
    (python,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(python.replace('"pngs"', '"pngs-2"'), "data.md", "exec"), {})  # noqa: S102
    for made in ("photos.html", "sets/all/montage.png", "pngs/metadata.jsonl", "pngs-2/metadata.jsonl"):
        assert Path(made).exists(), made
