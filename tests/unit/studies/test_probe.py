from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from fresh import fresh_run
from steadygan.data import PrepareSettings, prepare_cached
from steadygan.errors import ConfigError, DataError
from steadygan.networks import DCGAN
from steadygan.rundir import RunDir
from steadygan.studies.augmentation import GainReport, augmentation_gain
from steadygan.studies.labelled import Estimate, Labelled
from steadygan.studies.probe import ProbeReport, features_of, load_discriminator, probe, settled, untrained
from steadygan.training import checkpoint
from steadygan.training.state import weights
from telling import telling

KINDS = ("dcgan", "virtual", "satellite", "msg", "sngan", "apart")


def accuracies(report):
    return {(row.features, row.labels_per_class): row.accuracy.mean for row in report.rows}


@pytest.mark.parametrize("kind", KINDS)
def test_the_discriminator_of_a_run_comes_back_with_its_weights(tmp_path, glyphs, kind):
    kept = []
    run = fresh_run(tmp_path / "run", glyphs, kind, lambda pair: kept.append(pair.discriminator))
    loaded = load_discriminator(run)
    assert not loaded.training
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in kept[0].state_dict().items())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    for which in ("best", "images-000000640"):
        load_discriminator(run, which)


@pytest.mark.parametrize("kind", telling(KINDS, "sngan", "virtual"))
def test_every_family_is_probed(tmp_path, glyphs, kind):
    report = probe(fresh_run(tmp_path / "run", glyphs, kind), glyphs, (3,), seeds=1)
    assert [row.features for row in report.rows] == ["discriminator", "random discriminator", "pixels"]
    assert accuracies(report)["pixels", 3] > 2 * report.chance
    assert accuracies(report)["discriminator", 3] > report.chance
    assert report.told_labels == (kind == "sngan")
    assert ("told all labels" in report.table()) == (kind == "sngan")


def test_a_discriminator_that_was_not_trained_is_no_better_than_an_untrained_one(tmp_path, glyphs):
    run = fresh_run(tmp_path / "run", glyphs)
    fresh = untrained(run, 0).discriminator
    RunDir(run).pointed(RunDir(run).latest).rename(tmp_path / "old")
    checkpoint.save(RunDir(run), 640, {"discriminator": weights(fresh)})
    found = accuracies(probe(run, glyphs, (1, 4), seeds=1))
    for count in (1, 4):
        assert found["discriminator", count] == found["random discriminator", count]


def test_a_discriminator_that_sees_nothing_is_at_chance_whatever_the_pixels_say(tmp_path, glyphs):
    def blind(pair):
        for parameter in pair.discriminator.parameters():
            nn.init.zeros_(parameter)

    report = probe(fresh_run(tmp_path / "run", glyphs, change=blind), glyphs, (1, 6), seeds=1)
    found = accuracies(report)
    assert found["discriminator", 6] <= report.chance
    assert found["pixels", 6] > found["pixels", 1] > report.chance
    assert found["random discriminator", 6] > report.chance


def test_labels_are_kept_from_a_network_that_would_show_them():
    class Teller(nn.Module):
        classes = 10

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, images, labels, with_features=False):
            return images.sum((1, 2, 3)), self.scale * labels[:, None].float()

    assert features_of(Teller(), torch.zeros(70, 1, 8, 8, dtype=torch.uint8)).unique().tolist() == [0.0]


def test_features_are_maxima_in_the_order_of_the_images():
    class Maps(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, images, with_features=False):
            return images.sum((1, 2, 3)), self.scale * images

    images = torch.randint(256, (150, 2, 8, 8), dtype=torch.uint8)
    rows = features_of(Maps(), images)
    wanted = images.unflatten(3, (4, 2)).unflatten(2, (4, 2)).amax((3, 5)).flatten(1) / 127.5 - 1
    assert torch.allclose(rows, wanted)


def test_batch_norms_take_the_statistics_of_reals_trained_or_not(tmp_path, glyphs):
    images = torch.from_numpy(np.array(glyphs.images)).permute(0, 3, 1, 2)[:128]
    run = fresh_run(tmp_path / "run", glyphs)
    for loaded in (load_discriminator(run), untrained(run, 0).discriminator):
        network = settled(loaded, images)
        maps = []
        norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
        norms[-1].register_forward_hook(lambda layer, given, out, kept=maps: kept.append((given[0], layer)))
        features_of(network, images)
        inside = torch.cat([given for given, _ in maps])
        assert torch.allclose(norms[-1].running_mean, inside.mean((0, 2, 3)), atol=0.1 * float(inside.std()))
        assert not any(layer.training for layer in network.modules())


def test_the_report_says_what_was_judged_and_survives_json(tmp_path, glyphs):
    report = probe(fresh_run(tmp_path / "run", glyphs), glyphs, (1, 3, 9999), seeds=2)
    assert ProbeReport.model_validate_json(report.model_dump_json()) == report
    labels = glyphs.labels[glyphs.held_out]
    assert report.chance == pytest.approx(np.bincount(labels).max() / len(labels))
    assert (report.judged, report.images, report.checkpoint) == (len(labels), 640, "images-000000640")
    assert report.left_out == [9999]
    lines = report.table().splitlines()
    assert lines[0] == "| features | 1 per class | 3 per class |"
    assert lines[2].startswith("| discriminator | ")
    assert "Not every class has 9999 images" in report.table()
    assert "These are not the images of the run" not in report.table()


def test_other_images_of_the_same_form_are_said_to_be_others(tmp_path, glyphs):
    report = probe(fresh_run(tmp_path / "run", glyphs, digest="another"), glyphs, (1,), seeds=1)
    assert "These are not the images of the run" in report.table()
    assert report.rows[0].accuracy.low is None


def test_what_cannot_be_probed_is_refused_in_a_sentence(tmp_path, glyphs):
    run = fresh_run(tmp_path / "run", glyphs)
    with pytest.raises(DataError, match=r"has [0-9]+ images to train on"):
        probe(run, glyphs, (9999,))
    other = prepare_cached("builtin:glyphs", PrepareSettings(size=18, limit=60, held_out=0.3))
    with pytest.raises(DataError, match="was trained on images of 16×16"):
        probe(run, other)
    unseen = prepare_cached("builtin:glyphs", PrepareSettings(size=16, limit=60, held_out=0))
    with pytest.raises(DataError, match="holds no images out"):
        Labelled(unseen)
    with pytest.raises(DataError, match="is not the folder of a run"):
        probe(tmp_path, glyphs)
    with pytest.raises(ConfigError, match="no checkpoint 'images-9'; there are: best, latest, images-000000640"):
        probe(run, glyphs, (1,), checkpoint="images-9")


def test_networks_that_cannot_be_built_or_have_other_weights_are_refused(tmp_path, glyphs):
    run = fresh_run(tmp_path / "run", glyphs)
    info = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**info, "config": {"networks": {"kind": "later"}}}))
    with pytest.raises(DataError, match=r"cannot build \(later\)"):
        load_discriminator(run)
    (run / "run.json").write_text(json.dumps({**info, "config": {"networks": DCGAN(width=8).model_dump()}}))
    with pytest.raises(DataError, match="are not of the networks"):
        load_discriminator(run)


def test_generated_images_are_weighed_against_few_reals(tmp_path, glyphs):
    run = fresh_run(tmp_path / "run", glyphs, "sngan")
    report = augmentation_gain(run, glyphs, (2,), fakes_per_class=8, seeds=1, steps=25)
    assert [row.real_per_class for row in report.rows] == [2, None]
    for row in report.rows:
        assert row.gain.mean == pytest.approx(row.added.mean - row.alone.mean)
    assert report.rows[1].alone.mean > report.rows[0].alone.mean > report.chance
    assert report.generated.mean < report.rows[1].alone.mean
    assert GainReport.model_validate_json(report.model_dump_json()) == report
    assert "| all | " in report.table()
    assert "outside generator" in report.table()


def test_a_generator_that_draws_reals_of_the_class_asked_for_helps(tmp_path, glyphs, monkeypatch):
    labelled = Labelled(glyphs)

    def drawn(generator, latents, labels, batch):
        training = glyphs.training
        own = labelled.labels[training]
        return torch.cat([labelled.pictures(training[(own == label).numpy()][:1]) for label in labels])

    monkeypatch.setattr("steadygan.export.model.generate_alike", drawn)
    run = fresh_run(tmp_path / "run", glyphs, "sngan")
    single = augmentation_gain(run, glyphs, (1,), fakes_per_class=1, seeds=1, steps=25)
    assert single.generated.mean > single.chance


def test_a_generator_without_classes_has_nothing_to_teach(tmp_path, glyphs):
    with pytest.raises(ConfigError, match="trained without classes"):
        augmentation_gain(fresh_run(tmp_path / "run", glyphs), glyphs)


def test_an_estimate_reads_as_a_share_with_its_interval():
    assert str(Estimate.of([0.5, 0.5, 0.5])) == "50.0% (50.0% to 50.0%)"
    assert str(Estimate.of([0.25])) == "25.0%"


def test_no_interval_leaves_what_an_accuracy_or_a_gain_can_be():
    assert (Estimate.of([0.9, 1.0]).high, Estimate.of([0.1, 0.0]).low) == (1, 0)
    assert Estimate.of([-0.2, 0.1], least=-1).low == -1
    assert Estimate.of([-0.02, 0.01, 0.0], least=-1).low == pytest.approx(-0.0413, abs=1e-4)
