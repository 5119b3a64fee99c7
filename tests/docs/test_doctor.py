"""What docs/doctor.md says of other programs' logs is so."""

from __future__ import annotations

import re
from pathlib import Path

from steadygan.doctor.logs import LOSSES, _kind, read_log
from steadygan.doctor.quantities import recognise

PAGE = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")


def test_the_printed_line_of_the_example_is_read(tmp_path):
    example = next(block for block in PAGE.split("```")[1::2] if "Loss_D" in block)
    (tmp_path / "log.txt").write_text(example)
    read = read_log(tmp_path / "log.txt").read
    assert {*read} == {"epoch", "batch", "loss_d", "loss_g", "d_real", "d_fake"}


def test_every_name_that_the_page_calls_known_is_known():
    told = re.search(r"What a column holds.*?so are(.*?)exports", PAGE, flags=re.DOTALL)
    assert told
    names = re.findall(r"`([^`]+)`", told[0])
    assert len(names) > 10
    assert [name for name in names if recognise(name) is None] == []


def test_every_loss_that_the_page_names_is_taken():
    told = re.search(r"`--loss` takes.*?\(([^)]*)\)", PAGE)
    assert told
    assert {_kind(name) for name in re.findall(r"`(\w+)`", told[1])} <= set(LOSSES)
