"""`techniques` and `cite`, as they print."""

from __future__ import annotations

import json

import pytest

from steadygan.cli.techniques import cite, techniques
from steadygan.errors import ConfigError, DataError
from steadygan.objectives import R1
from steadygan.recipes.techniques import GROUPS
from steadygan.recipes.techniques import techniques as all_techniques
from steadygan.training.config import RunConfig


@pytest.fixture
def run(tmp_path):
    config = RunConfig(recipe="dcgan", penalties=(R1(),)).dump()
    config["loss"] = {"kind": "own", "type": "mine.Loss", "settings": "Loss()"}
    data = {"digest": "x", "spec": {"size": 16, "channels": 3}}
    (tmp_path / "run.json").write_text(json.dumps({"config": config, "data": data, "parameters": {}}))
    return tmp_path


def test_the_list_has_every_group_and_every_technique(capsys) -> None:
    techniques()
    lines = capsys.readouterr().out.splitlines()
    for group in GROUPS:
        assert any(line.startswith(f"{group.title}: ") for line in lines)
    for entry in all_techniques():
        assert any(line.startswith(f"  {entry.name} ") for line in lines)
    assert any(line.startswith("  as_is (off) ") for line in lines)


def test_one_is_explained_in_full(capsys) -> None:
    techniques("r1")
    out = capsys.readouterr().out
    assert out.startswith("r1: Zero-centred gradient penalty on reals")
    for text in ("  group ", "  helps ", "  hurts ", "number or schedule, 0 or more", "Mescheder", "abs/1801.04406"):
        assert text in out
    assert "  --set penalties=r1\n" in out


def test_both_of_one_name_are_explained(capsys) -> None:
    techniques("l2")
    out = capsys.readouterr().out
    assert out.count("l2: ") == 2
    assert "generator_terms" in out


def test_an_off_value_has_neither_merits_nor_sources(capsys) -> None:
    techniques("as_is")
    out = capsys.readouterr().out
    assert out.startswith("as_is (off): ")
    assert not any(word in out for word in ("helps", "hurts", "sources", "settings"))


@pytest.mark.parametrize("columns", [30, 60, 200])
def test_lines_fit_the_terminal_but_for_what_is_to_be_copied(capsys, monkeypatch, run, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    techniques()
    techniques("dcgan")
    techniques("cosine")
    cite(run)
    for line in capsys.readouterr().out.splitlines():
        assert len(line) <= columns or "--set" in line or len(line.split()) == 1, line


def test_an_unknown_technique_is_one_line(capsys) -> None:
    with pytest.raises(ConfigError) as refusal:
        techniques("hinj")
    assert "\n" not in str(refusal.value)
    assert capsys.readouterr().out == ""


def test_cite_says_for_what_each_paper_stands_and_what_is_the_users_own(capsys, run) -> None:
    cite(run)
    out = capsys.readouterr().out
    words = " ".join(out.split())
    assert "Which Training Methods for GANs do actually Converge?" in words
    assert "    for penalties[0]=r1\n" in out
    assert "    for recipe dcgan, networks=dcgan" in out
    assert "loss: mine.Loss, an object of your own" in words


def test_cite_as_bibtex_prints_nothing_else(capsys, run) -> None:
    cite(run, bibtex=True)
    out = capsys.readouterr().out
    assert out.startswith("@inproceedings{radford2016unsupervised,\n")
    entries = out.strip().split("\n\n")
    assert len(entries) >= 5
    assert all(entry.startswith("@") and entry.endswith("}") for entry in entries)


def test_cite_of_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="is not the folder of a run"):
        cite(tmp_path)
