from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from scores import DISTURBANCES, Bench, ScoresReport, losing, main, shuffling

from steadygan.data import PrepareSettings, prepare


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    settings = PrepareSettings(size=16, limit=120)
    return prepare("builtin:critters", tmp_path_factory.mktemp("bench") / "scenes", settings, workers=0).path


@pytest.mark.slow
def test_every_metric_is_asked_at_every_level_and_the_answers_are_drawn(scenes, tmp_path, capsys):
    main([str(scenes), "--size", "16", "--metrics", "fd,memorised,colour", "--picture", str(tmp_path / "a.png")])
    report = ScoresReport.model_validate(json.loads(capsys.readouterr().out))
    assert report.count == 40
    assert len(report.answers) == 3 * (1 + 3 * len(DISTURBANCES))
    assert report.value("copying", 3, "memorised").value == 1
    assert report.value("noise", 3, "fd").value > 5 * report.value("noise", 0, "fd").value
    lines = report.table().splitlines()
    assert lines[2].startswith("| none | ")
    assert len(lines) == 3 + 3 * len(DISTURBANCES)
    table, pictures = (np.asarray(Image.open(tmp_path / name).convert("RGB")) for name in ("a.png", "a-pictures.png"))
    assert (table.max(2) - table.min(2)).max() > 150  # in colours
    assert pictures.shape[1] > pictures.shape[0]  # a column for each disturbance, a row for each level


@pytest.mark.slow
def test_features_stand_beside_each_other_at_disturbances_of_what_pictures_show(tmp_path, capsys):
    glyphs = prepare("builtin:glyphs", tmp_path / "glyphs", PrepareSettings(size=16, limit=120), workers=0).path
    words = "--size 16 --metrics fd,kid --features scattering,scattering --disturbances shuffling,losing --table"
    main([str(glyphs), *words.split()])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| | fd, scattering | fd, scattering | kid, scattering | kid, scattering |"
    assert [line.split(" |")[0] for line in lines[2:8]] == [
        f"| {n} {level}" for n in ("shuffling", "losing") for level in (1, 2, 3)
    ]
    assert float(lines[4].split("|")[2]) > 1
    assert 0.1 < float(lines[-1].rpartition(" ")[2]) <= 1


def test_shuffling_moves_tiles_and_losing_takes_the_first_classes():
    pictures = torch.arange(4 * 16 * 16).view(4, 1, 16, 16).to(torch.uint8)
    bench = Bench(None, pictures, pictures, np.random.default_rng(0), np.array([0, 1, 2, 3]))
    for level in (1, 2, 3):
        moved, side = shuffling(bench, level), 16 // 2**level
        tiles = [
            im.view(-1, side, 16 // side, side).permute(0, 2, 1, 3).reshape(-1, side * side)
            for im in (pictures[0], moved[0])
        ]
        assert sorted(tiles[0].tolist()) == sorted(tiles[1].tolist())
        assert not torch.equal(pictures, moved)
        kept = losing(bench, level)
        assert {one.tobytes() for one in kept.numpy()} <= {one.tobytes() for one in pictures[: 4 - level].numpy()}


def test_a_disturbance_by_another_name_is_refused(scenes, capsys):
    with pytest.raises(SystemExit):
        main([str(scenes), "--disturbances", "fog"])
    assert "no disturbance fog; there are noise, blur" in capsys.readouterr().err
