"""A run that starts from trained networks: what it takes over, what it refuses, what it writes down."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import steadygan as sg
from fresh import NETWORKS, fresh_run
from steadygan.cli.main import main
from steadygan.errors import ConfigError, DataError
from steadygan.networks.freezing import layers_of
from steadygan.recipes.start import plan
from steadygan.training.build import make_parts
from steadygan.training.config import RunConfig
from steadygan.training.console import Silent
from steadygan.training.origin import open_origin
from tiny import TINY, draw, fingerprint, set_options

MACHINE = {"runtime": TINY["runtime"]}
SHORT = {**MACHINE, "log": {"every_images": 16}}
PARTS = ("generator", "average", "discriminator")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Pictures, others, and a run that was trained on the first."""
    world = tmp_path_factory.mktemp("start")
    draw(world / "first", 100)
    draw(world / "others", 100, seed=9)
    settings = {**TINY, "data": {"mirror": True}, "penalties": ["r1"], "ema": {"half_life_images": 500}}
    sg.train(world / "first", "dcgan", world / "source", steps=12, size=16, seed=3, settings=settings)
    sg.load(world / "source").save(world / "g.safetensors")
    return world


@pytest.fixture(scope="module")
def tuned(world):
    """A run on the others that started from the run on the first."""
    return sg.train(world / "others", out=world / "tuned", start=world / "source", steps=4, settings=SHORT)


def weights_at(run: sg.Run, which: str) -> dict[str, dict[str, torch.Tensor]]:
    folder = run.checkpoint(which).folder
    return {part: load_file(folder / f"{part}.safetensors") for part in PARTS}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_all_three_networks_start_as_they_were_to_the_bit(world, tuned):
    before = weights_at(sg.Run(world / "source"), "best")
    start, after = (weights_at(tuned, which) for which in ("images-000000000", "latest"))
    assert all(same(before[part], start[part]) for part in PARTS)
    assert not any(same(before[part], after[part]) for part in PARTS)
    pictures = sg.load(world / "source").sample(8)
    assert torch.equal(sg.load(tuned.path, "images-000000000").sample(8), pictures)


def test_a_run_that_turns_to_float32_still_starts_as_they_were(world):
    settings = {**SHORT, "start": {"source": str(world / "source")}, "budget": {"steps": 1}}
    config, dataset, _ = plan(world / "others", None, settings, Silent())
    parts, before = make_parts(config, Silent(), dataset), weights_at(sg.Run(world / "source"), "best")
    parts.load_weights(before, world)
    parts = parts.in_float32("bfloat16 was wrong")
    assert same(before["average"], parts.average.network.state_dict())
    assert same(before["generator"], parts.pair.generator.state_dict())


def test_the_first_grid_shows_what_the_run_started_from(world, tuned):
    first = tuned.files.fixed_samples()[0]
    assert first.stem == "000000000"
    grids = [np.asarray(Image.open(file)) for file in (first, tuned.files.fixed_samples()[-1])]
    assert not np.array_equal(*grids)


def test_optimizers_and_images_seen_begin_anew(world, tuned):
    state = tuned.checkpoint("images-000000000").meta.state
    assert state["progress"] == {"steps": 0, "images": 0, "seconds": 0.0}
    assert all(not descent["optimizer"]["state"] for descent in state["game"]["descents"].values())
    assert tuned.log()[-1].images == 4 * 8


def test_settings_are_those_of_the_source_but_for_its_images_its_machine_and_its_length(world, tuned):
    before, now = sg.Run(world / "source").info().config, tuned.info().config
    for name in ("recipe", "seed", "batch", "size", "networks", "loss", "penalties", "optimizer", "ema", "samples"):
        assert {**now, "samples": now["samples"]["count"]}[name] == {**before, "samples": 9}[name]
    assert now["data"] == {**before["data"], "source": str(world / "others"), "channels": "rgb"}
    assert now["budget"] == {"images": None, "steps": 4, "minutes": None, "schedule_images": 32}
    assert now["checkpoint"]["every_images"] != before["checkpoint"]["every_images"]


def test_another_recipe_keeps_the_networks_that_are_there(world):
    config, *_ = plan(world / "others", "steady", {"start": {"source": str(world / "source")}}, Silent())
    assert config.networks == sg.DCGAN(**TINY["networks"])
    assert (config.loss.kind, config.batch, config.size) == ("relativistic", 32, 16)


def test_run_json_and_exported_models_say_where_it_started(world, tuned):
    start, source = tuned.info().start, sg.Run(world / "source")
    best = source.checkpoint()
    assert (start.source, start.checkpoint, start.images) == (str(source.path), best.name, best.images)
    assert start.sha256 == {name: it for name, it in best.meta.sha256.items() if not name.startswith("state")}
    assert start.data["source"] == str(world / "first")
    assert start.data["digest"] == source.info().data.digest
    about = sg.load(tuned.path).about["start"]
    assert (about["source"], about["data"]["source"], about["checkpoint"]) == ("source", "first", best.name)
    assert str(world) not in json.dumps(about)
    assert source.info().start is None
    assert "start" not in sg.load(source.path).about


def test_a_chain_of_starts_is_kept(world, tuned, tmp_path):
    sg.load(tuned.path).save(tmp_path / "g.safetensors")
    for start in (tuned.path, tmp_path / "g.safetensors"):
        assert Path(open_origin(start).info.before.source).name == "source"


def test_a_named_checkpoint_and_the_files_that_name_one_are_taken(world):
    source = sg.Run(world / "source")
    names = {one.name: one for one in source.checkpoints()} | {"latest": source.checkpoint("latest")}
    for name, saved in names.items():
        assert open_origin(source.files.checkpoints / name).saved.name == saved.name


def test_an_exported_generator_starts_both_generators_and_a_fresh_discriminator(world, tmp_path, capsys):
    run = sg.train(
        world / "others", out=tmp_path / "r", start=world / "g.safetensors", steps=2, batch=8, settings=SHORT
    )
    said = [line for line in capsys.readouterr().err.splitlines() if "discriminator" in line]
    assert len(said) == 1
    assert "no discriminator" in said[0]
    start, average = weights_at(run, "images-000000000"), weights_at(sg.Run(world / "source"), "best")["average"]
    assert same(start["average"], average)
    assert same(start["generator"], average)
    assert not same(start["discriminator"], weights_at(sg.Run(world / "source"), "best")["discriminator"])
    assert run.info().recipe == "dcgan"


@pytest.mark.slow
def test_resume_needs_nothing_of_the_source_and_goes_on_to_the_bit(world, tmp_path):
    shutil.copytree(world / "source", tmp_path / "source")
    settings = {**SHORT, "freeze": {"discriminator": 1}, "checkpoint": {"every_steps": 2}}
    whole, half = (
        sg.train(world / "others", out=tmp_path / name, start=tmp_path / "source", steps=steps, settings=settings)
        for name, steps in (("whole", 4), ("half", 2))
    )
    shutil.copytree(half.path, tmp_path / "none")  # as if killed before the first step
    none = sg.Run(tmp_path / "none")
    none.files.latest.write_text("images-000000000\n")
    shutil.rmtree(none.files.checkpoint(16))
    shutil.rmtree(tmp_path / "source")
    for run in (half, none):
        sg.resume(run.path, sg.Budget(steps=4))
        assert fingerprint(run.checkpoint("latest").folder) == fingerprint(whole.checkpoint("latest").folder)
        assert run.info().start == whole.info().start


def test_frozen_layers_stay_to_the_bit_whatever_pulls_at_them_and_the_others_move(world, tmp_path):
    settings = {**SHORT, "freeze": {"discriminator": 2}, "opponent": {"kind": "unrolled", "steps": 1}}
    settings["penalties"] = ["r1", "l2", "historical_averaging", "weight_clipping"]
    settings["optimizer"] = {"discriminator": {"kind": "adam", "weight_decay": 0.1}}
    run = sg.train(world / "others", out=tmp_path / "r", start=world / "source", steps=3, settings=settings)
    before, now = (weights_at(run, which)["discriminator"] for which in ("images-000000000", "latest"))
    discriminator = sg.DCGAN(**TINY["networks"]).build(sg.ImageSpec(size=16, channels=3)).discriminator
    frozen = {
        id(value) for layer in layers_of(discriminator)[:2] for value in layer.state_dict(keep_vars=True).values()
    }
    for name, value in discriminator.state_dict(keep_vars=True).items():
        assert torch.equal(before[name], now[name]) == (id(value) in frozen), name
    learning = sum(value.numel() for value in discriminator.parameters() if id(value) not in frozen)
    assert run.info().parameters["discriminator"] == learning


WRONG = {
    "size": ({"size": 32}, "size: .*16 pixels, not 32; leave it out"),
    "networks": ({"networks": {"kind": "upsample"}}, "networks.kind: .* is dcgan, not upsample; leave it out"),
    "width": ({"networks": {"width": 8}}, "networks.width: .* is 4, not 8; leave it out"),
    "channels": ({"data": {"channels": "grey"}}, "channels: .* 3 channels, these have 1; prepare them alike"),
    "layers": ({"freeze": {"discriminator": 3}}, "3 layers cannot stay as they are, the discriminator has 3 .* 2 or"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("door", ["python", "command line"])
def test_what_does_not_fit_is_refused_with_both_values_and_a_way_out(world, tmp_path, capsys, name, door):
    settings, said = WRONG[name]
    if door == "python":
        with pytest.raises(ConfigError, match=said):
            sg.train(
                world / "others", out=tmp_path / "r", start=world / "source", steps=1, settings={**SHORT, **settings}
            )
        return
    words = ["train", str(world / "others"), "-o", str(tmp_path / "r"), "--from", str(world / "source"), "--steps", "1"]
    with pytest.raises(SystemExit) as left:
        main([*words, *set_options({**SHORT, **settings})])
    assert left.value.code == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("steadygan: ")]
    assert str(world / "source") in line or name == "layers"


def source_of(folder: Path, kind: str, classes: int) -> Path:
    """A run with these networks on images of so many classes."""
    for number in range(max(1, classes)):
        draw(folder / "pictures" / f"class{number}" if classes else folder / "pictures", 8, seed=number)
    dataset = sg.prepare(folder / "pictures", folder / "set", sg.PrepareSettings(size=16))
    return fresh_run(folder / "run", dataset, kind)


@pytest.mark.slow
@pytest.mark.parametrize(("known", "there", "said"), [(10, 3, "knows 10 classes, .* 3;"), (10, 0, "knows 10 .* none;")])
def test_other_classes_are_refused_with_both_numbers(tmp_path, known, there, said):
    source = source_of(tmp_path / "known", "sngan", known)
    source_of(tmp_path / "there", "dcgan", there)
    with pytest.raises(ConfigError, match=said):
        sg.train(tmp_path / "there" / "pictures", "sngan", tmp_path / "r", start=source, steps=1, settings=SHORT)


@pytest.mark.parametrize(
    ("known", "there"), [(3, 2), *(pytest.param(*one, marks=pytest.mark.slow) for one in [(3, 0), (0, 2), (2, 2)])]
)
def test_where_a_part_of_its_own_tells_classes_apart_it_alone_begins_afresh(tmp_path, capsys, known, there):
    source = source_of(tmp_path / "known", "told", known)
    source_of(tmp_path / "there", "dcgan", there)
    settings = {**SHORT, "batch": 4, "networks": {"conditional": there > 0}}
    run = sg.train(tmp_path / "there" / "set", out=tmp_path / "r", start=source, steps=1, settings=settings)
    said = capsys.readouterr().err
    assert (f"what tells {there} classes apart begins afresh" in said) == (there > 0 and known != there)
    assert (f"its {known} classes are left out" in said) == (not there)
    before, start = weights_at(sg.Run(source), "best"), weights_at(run, "images-000000000")
    for part in PARTS:
        of_classes = {place for place in start[part] if place.startswith(("embedding.", "projection."))}
        assert len(of_classes) == (there > 0)
        kept = {place for place in before[part] if not place.startswith(("embedding.", "projection."))}
        assert start[part].keys() == kept | of_classes
        kept |= of_classes if known == there else set()
        assert all(torch.equal(before[part][place], start[part][place]) for place in kept)
        assert all(len(start[part][place]) == there for place in of_classes)
    assert sg.load(run.path).classes == there


def test_networks_that_know_no_class_stay_so_on_images_with_labels(tmp_path):
    source = source_of(tmp_path / "known", "apart", 0)
    source_of(tmp_path / "there", "dcgan", 2)
    config, *_ = plan(tmp_path / "there" / "set", "sngan", {"start": {"source": str(source)}}, Silent())
    assert config.networks == NETWORKS["apart"]


def test_grey_networks_get_grey_images(world, tmp_path):
    grey = sg.prepare(world / "first", tmp_path / "grey", sg.PrepareSettings(size=16, channels="grey"))
    start = {"start": {"source": str(fresh_run(tmp_path / "run", grey))}}
    assert plan(world / "others", "dcgan", start, Silent())[1].spec == sg.ImageSpec(size=16, channels=1)


def test_a_file_or_object_of_the_users_own_that_names_other_networks_is_refused(world, tmp_path):
    (tmp_path / "own.toml").write_text('[networks]\nkind = "dcgan"\nwidth = 8\n')
    for recipe in (str(tmp_path / "own.toml"), RunConfig(networks=sg.DCGAN(width=8))):
        with pytest.raises(ConfigError, match=r"networks\.width: .* is 4, not 8"):
            plan(world / "others", recipe, {"start": {"source": str(world / "source")}}, Silent())
    config, *_ = plan(world / "others", RunConfig(batch=4), {"start": {"source": str(world / "source")}}, Silent())
    assert config.networks.width == 4


def test_what_a_dry_run_prints_starts_from_there_too(world, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["train", str(world / "others"), "--from", str(world / "source"), "--steps", "1", "--dry-run"])
    (tmp_path / "all.toml").write_text(capsys.readouterr().out)
    settings = {"start": {"source": str(world / "source")}, "budget": {"steps": 1}}
    asked, read = plan(world / "others", None, settings, Silent()), plan(world / "others", str(tmp_path / "all.toml"))
    assert read[0].model_copy(update={"recipe": "dcgan"}) == asked[0]


def test_layers_of_no_trained_discriminator_are_not_frozen(world, tmp_path):
    for start, said in ((None, "fresh layers have learned nothing"), (world / "g.safetensors", "has no discriminator")):
        settings = {**SHORT, "freeze": {"discriminator": 1}}
        with pytest.raises(ConfigError, match=said):
            sg.train(world / "others", out=tmp_path / "r", start=start, steps=1, settings=settings)
        shutil.rmtree(tmp_path / "r", ignore_errors=True)


def test_what_is_missing_or_damaged_is_named(world, tmp_path):
    shutil.copytree(world / "source", tmp_path / "torn")
    torn = sg.Run(tmp_path / "torn").checkpoint().folder / "discriminator.safetensors"
    torn.write_bytes(torn.read_bytes()[:-9])
    (tmp_path / "cut.safetensors").write_bytes((world / "g.safetensors").read_bytes()[:-9])
    (tmp_path / "text").write_text("text")
    for start, kind, named in (
        (tmp_path / "torn", DataError, "discriminator.safetensors is damaged"),
        (tmp_path / "cut.safetensors", DataError, "cut.safetensors"),
        (tmp_path / "text", ConfigError, "text: there is no folder of a run"),
        ("some/name", ConfigError, "some/name: there is no folder of a run"),
        (world / "first", DataError, "first is not the folder of a run"),
    ):
        with pytest.raises(kind, match=named):
            sg.train(world / "others", out=tmp_path / "r", start=start, steps=1, settings=SHORT)
        assert not (tmp_path / "r" / "run.json").exists()
        shutil.rmtree(tmp_path / "r", ignore_errors=True)


def test_papers_of_what_was_used_are_cited(tuned, world, tmp_path, capsys):
    config = {**tuned.info().config, "freeze": {"discriminator": 1}}
    (tmp_path / "frozen").mkdir()
    sg.Run(tmp_path / "frozen").write_info(tuned.info().model_copy(update={"config": config}))
    found = []
    for run in (world / "source", tuned.path, tmp_path / "frozen"):
        with pytest.raises(SystemExit):
            main(["cite", str(run)])
        text = capsys.readouterr().out
        found.append(("Transferring GANs" in text, "Freeze the Discriminator" in text))
    assert found == [(False, False), (True, False), (True, True)]
