from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor, nn

import steadygan as sg
from fresh import NETWORKS, fresh_run
from steadygan.cli.main import main
from steadygan.studies.generator_probe import GeneratorReport, features_by_layer, generator_probe, readable
from telling import telling


class Known(nn.Module):
    """Whether two numbers have one sign decides the class: no line tells it from the latent, nor from the first maps.

    From side 8 on a channel says it; the picture of side 16 is bright or dark.
    """

    def __init__(self) -> None:
        super().__init__()
        self.raw, self.product, self.picture = (nn.Identity() for _ in range(3))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, latent: Tensor) -> Tensor:
        maps = self.raw(latent[:, :, None, None].expand(-1, -1, 4, 4))
        told = (maps[:, :1] * maps[:, 1:2]).sign()
        maps = self.product(torch.cat([told, maps], 1).repeat(1, 1, 2, 2))
        return self.scale * self.picture(maps[:, :1].repeat(1, 3, 2, 2))


def test_the_layer_is_found_from_which_on_the_generator_knows_the_class():
    latents = torch.randn(1_000, 6)
    labels = (latents[:, 0] * latents[:, 1] > 0).long() * 2 + 1  # classes 1 and 3 of a set of more
    found = readable(features_by_layer(Known(), 3, latents), labels)
    assert list(found) == ["latent", "4×4", "8×8", "16×16"]
    assert found["latent"] < 0.65
    assert found["4×4"] < 0.65
    assert found["8×8"] == found["16×16"] == 1


def test_labels_that_have_nothing_to_do_with_the_pictures_are_read_nowhere():
    latents = torch.randn(1_000, 6)
    found = readable(features_by_layer(Known(), 3, latents), torch.randint(2, (1_000,)))
    assert all(abs(accuracy - 0.5) < 0.1 for accuracy in found.values())


def test_rows_belong_to_their_latents_in_any_batch():
    generator = NETWORKS["virtual"].build(sg.ImageSpec(size=16, channels=3)).generator.eval()
    latents = torch.rand(70, 8) * 2 - 1
    whole, part = (features_by_layer(generator, 3, z) for z in (latents, latents[60:]))
    for name, rows in whole.items():
        assert len(rows) == 70
        assert torch.allclose(rows[60:], part[name], atol=1e-5)


def test_rare_classes_are_left_out_and_a_single_one_is_no_question():
    latents, labels = torch.randn(100, 3), torch.zeros(100, dtype=torch.int64)
    labels[:3] = 4
    labels[60:70] = 7
    assert readable({"latent": latents}, labels) == {}
    labels[5:50:2] = 2
    labels[51::2] = 2
    found = readable({"latent": 3.0 * labels[:, None] + latents[:, :1] / 9}, labels)
    assert found == {"latent": 1}


def ours(monkeypatch, label):
    """The labels of pictures are no longer those of a probe on the discriminator, but a function of its rows."""
    monkeypatch.setattr("steadygan.studies.generator_probe.linear_labels", lambda *given: label(given[2]))


def halves(rows):
    return (rows.sum(1) > rows.sum(1).median()).long()


@pytest.mark.parametrize("kind", telling(NETWORKS, "msg", "told"))
def test_every_family_is_asked_layer_by_layer(tmp_path, glyphs, kind, monkeypatch):
    ours(monkeypatch, halves)
    report = generator_probe(fresh_run(tmp_path / "run", glyphs, kind), glyphs, seeds=1, pictures=160)
    assert [row.layer for row in report.rows] == ["latent", "4×4", "8×8", "16×16"]
    assert report.rows[0].trained == report.rows[0].untrained
    assert report.told_classes == (kind in ("sngan", "told"))
    assert ("no merit" in report.table()) == report.told_classes
    assert GeneratorReport.model_validate_json(report.model_dump_json()) == report
    assert "| 8×8 | " in report.table()


def test_a_generator_that_was_not_trained_is_no_better_than_an_untrained_one(tmp_path, glyphs, monkeypatch):
    run = fresh_run(tmp_path / "run", glyphs, "dcgan", seed=0)
    ours(monkeypatch, halves)
    monkeypatch.setattr("steadygan.studies.generator_probe.measure_statistics", lambda network, _: copied(network, run))
    report = generator_probe(run, glyphs, seeds=1, pictures=160)
    assert len(report.rows) == 4
    assert [row.trained for row in report.rows] == [row.untrained for row in report.rows]


def copied(network, run):
    """The statistics that the run has, for the same weights."""
    network.load_state_dict(sg.load(run).generator.state_dict())


def test_one_and_the_same_picture_is_no_question_and_the_report_says_so(tmp_path, glyphs, monkeypatch):
    run = fresh_run(tmp_path / "run", glyphs, "dcgan")
    ours(monkeypatch, lambda rows: torch.zeros(len(rows), dtype=torch.int64))
    report = generator_probe(run, glyphs, seeds=1, pictures=64)
    assert (report.rows, report.frequent) == ([], None)
    assert "a single class" in report.table()


@pytest.mark.slow
def test_the_command_reports_both_networks(tmp_path, glyphs, monkeypatch, capsys):
    run = fresh_run(tmp_path / "run", glyphs, "apart")
    small = {
        "generator_probe.generator_probe": {"seeds": 1, "pictures": 64},
        "probe.probe": {"seeds": 1, "labels_per_class": (1,)},
    }
    for place, settings in small.items():
        module, name = place.split(".")
        whole = getattr(__import__(f"steadygan.studies.{module}", fromlist=[name]), name)
        monkeypatch.setattr(
            f"steadygan.studies.{place}", lambda *a, whole=whole, settings=settings, **k: whole(*a, **settings, **k)
        )
    with pytest.raises(SystemExit) as left:
        main(["probe", str(run), str(glyphs.path), "--json"])
    assert not left.value.code
    discriminator, generator = json.loads(capsys.readouterr().out)
    assert discriminator["rows"][0]["features"] == "discriminator"
    assert generator["pictures"] == 64
    assert generator["labels_right"] > generator["chance"]
