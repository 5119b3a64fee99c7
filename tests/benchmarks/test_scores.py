from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from scores import DISTURBANCES, ScoresReport, main

from steadygan.data import PrepareSettings, prepare


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    settings = PrepareSettings(size=16, limit=120)
    return prepare("builtin:critters", tmp_path_factory.mktemp("bench") / "scenes", settings, workers=0).path


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
