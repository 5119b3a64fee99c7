"""Which score of a run is put beside those of others."""

from __future__ import annotations

import json

import pytest

from steadygan import records
from steadygan.records import DatedScore
from steadygan.rundir import RunDir
from steadygan.studies.compare import compare


@pytest.fixture
def run(tmp_path):
    """Makes a run folder with scores (metric, images, value, protocol), checkpoints and the name of the best."""

    def make(name, scores, best=None, checkpoints=(100, 200, 300)):
        files = RunDir(tmp_path / name)
        for images in checkpoints:
            files.checkpoint(images).mkdir(parents=True)
            (files.checkpoint(images) / "meta.json").write_text("{}")
        data = {"digest": "d", "spec": {"size": 8, "channels": 1}}
        files.run_json.write_text(json.dumps({"config": {}, "data": data, "parameters": {}}))
        for metric, images, value, protocol in scores:
            score = DatedScore(step=images, images=images, metric=metric, value=value, protocol=protocol)
            records.append(files.scores, score)
        if best is not None:
            files.best.write_text(files.checkpoint(best).name + "\n")
        return files.path

    return make


def shown(*paths) -> dict[str, list]:
    return {row.name: row.values for row in compare(paths).results}


RISING = [("fd", images, images / 100, "p") for images in (100, 200, 300)]


def test_the_score_of_the_best_checkpoint_is_shown_and_after_how_many_images(run):
    rows = shown(run("a", RISING, best=200), run("b", RISING[::-1], best=100))
    assert rows["fd"] == [2, 1]
    assert rows["  at images, fd"] == [200, 100]


def test_the_last_score_is_shown_where_the_best_checkpoint_has_none(run):
    scores = [*RISING, ("kid", 300, 7.0, "p"), ("kid", 100, 5.0, "p")]
    rows = shown(run("a", scores, best=200))
    assert (rows["fd"], rows["kid"]) == ([2], [7])
    assert rows["  at images, kid"] == [300]


def test_without_a_best_checkpoint_the_last_score_is_shown(run):
    assert shown(run("a", RISING[::-1]))["fd"] == [3]


def test_each_protocol_has_the_score_of_the_best_checkpoint(run):
    scores = [*RISING, ("fd", 100, 11.0, "q"), ("fd", 200, 12.0, "q"), ("fd", 300, 13.0, "q")]
    found = compare([run("a", scores, best=100), run("b", scores, best=300)])
    assert [(row.values, row.protocol) for row in found.results if row.name == "fd"] == [([1, 3], "p"), ([11, 13], "q")]
    assert found.refused == []


def test_scores_that_share_no_protocol_are_refused(run):
    found = compare([run("a", RISING), run("b", [("fd", 100, 1.0, "q")])])
    assert found.results == []
    assert len(found.refused) == 1
