"""`bench`: a mistake is one line, before anything is measured."""

from __future__ import annotations

import pytest

from steadygan.cli.main import main


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("device --device gpu", "device: 'gpu'"),
        ("device --minutes 0", "minutes: "),
        ("device --minutes inf", "minutes"),
        ("device --minutes nan", "minutes"),
        ("device -o device.pdf", "device.pdf"),
        ("step --device gpu", "device: 'gpu'"),
        ("step --size 0", "size: "),
        ("step --size 7", "16"),
        ("step --batch 0", "batch: "),
        ("step --width 0", "width: "),
        ("prepare --size 0", "size: "),
        ("prepare nowhere", "there is no folder nowhere"),
        ("modes --data ring --minutes -1", "minutes: "),
        ("modes --data ring --minutes nan", "minutes: "),
        ("modes --data ring --images 1.5", "write it as 200000, 200_000, 200k"),
        ("modes --data ring --samples 1.5", "write it as 200000, 200_000, 200k"),
        ("modes --data ring --recipes nope", "no recipe 'nope'"),
        ("modes --data ring --set x=3", "x: no such setting"),
        ("modes --data nowhere", "there is no file or folder nowhere"),
    ],
)
def test_a_mistake_is_one_line(capsys, line, message):
    with pytest.raises(SystemExit) as left:
        main(["bench", *line.split()])
    said = capsys.readouterr()
    assert (left.value.code, said.out) == (2, "")
    assert message in said.err
    assert "bug" not in said.err
    assert said.err.startswith("steadygan: ")
    assert said.err.count("\n") == 1
