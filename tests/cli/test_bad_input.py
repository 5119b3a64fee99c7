"""Careless and unlucky users: a mistake gets one line that says what to do, the right exit code, and costs nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import threading
import tomllib
from pathlib import Path

import pytest
import torch

import steadygan as sg
from steadygan.cli.main import app, main
from steadygan.recipes import RECIPES
from steadygan.rundir import checkpoint_images
from tiny import TINY, command, draw, fingerprint, set_options

SMALL = [*set_options(TINY), "--size", "16", "--steps", "1"]
COMMANDS = [entry.name or entry.callback.__name__ for entry in app.registered_commands]

BAD_RECIPES = """
text = 3


def number():
    return 3


def broken():
    return 1 / 0


def misspelled():
    from steadygan import RunConfig

    return RunConfig(batchh=3)
"""


def snapshot(folder: Path) -> dict[str, str]:
    """Digests of all files below a folder; folders are listed, too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with everything one may point at by mistake. `run` has used its budget of 12 steps."""
    world = tmp_path_factory.mktemp("world")
    draw(world / "pictures", 20)
    draw(world / "ten", 10, seed=1)
    draw(world / "one", 1)
    for name in ("empty", "texts", "full", "folder.toml", "folder.png"):
        (world / name).mkdir()
    for name in ("texts/a.txt", "texts/b.txt", "full/thesis.txt", "file"):
        (world / name).write_text("mine")
    (world / "broken.toml").write_text("seed = = 3\n")
    (world / "binary.toml").write_bytes(b"\xff\xfe\x00")
    (world / "wrong.toml").write_text('sede = 3\nbatch = "x"\n')
    (world / "mine.py").write_text(BAD_RECIPES)
    (world / "syntax.py").write_text("def a(: return 3\n")
    (world / "imports.py").write_text("import no_such_package\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world)
        patch.setenv("STEADYGAN_CACHE", str(tmp_path_factory.getbasetemp() / "steadygan-cache"))
        for line in ("prepare pictures -o set --size 16", "train pictures -o run --steps 12"):
            assert exit_code(line) == 0
    copied = {"cut": ("images.npy", lambda data: data[:-100]), "rubbish": ("dataset.json", lambda data: b"{")}
    for name, (file, damage) in copied.items():
        shutil.copytree(world / "set", world / name)
        (world / name / file).write_bytes(damage((world / name / file).read_bytes()))
    shutil.copytree(world / "run", world / "unsaved")
    shutil.rmtree(world / "unsaved" / "checkpoints")
    return world


def words(line: str | list) -> list[str]:
    """A command line as words; training is made small, but what the line says comes later and counts."""
    given = shlex.split(line) if isinstance(line, str) else [str(word) for word in line]
    return [given[0], *SMALL, *given[1:]] if given[:1] == ["train"] else given


def exit_code(line: str | list) -> int:
    with pytest.raises(SystemExit) as left:
        main(words(line))
    return int(left.value.code or 0)


@pytest.fixture
def refusal(capsys):
    """Run a command that must be refused, and give what it said: nothing but lines for the user, at the end."""

    def run(line: str | list, code: int, problems: int = 1) -> str:
        capsys.readouterr()
        left = exit_code(line)
        errors = capsys.readouterr().err
        said = errors.splitlines()[-problems:]
        assert left == code, errors
        assert [line for line in errors.splitlines() if line.startswith("steadygan: ")] == said, errors
        assert not any(sign in errors for sign in ("Traceback", "this is a bug", "errors.pydantic.dev")), errors
        return "\n".join(said)

    return run


@pytest.fixture
def here(world, monkeypatch):
    """The world as the working folder; whatever stood in it must stand there afterwards, and nothing else."""
    monkeypatch.chdir(world)
    before = snapshot(world)
    yield world
    after = snapshot(world)
    for name in {Path(path).parts[0] for path in after.keys() - before.keys()}:
        shutil.rmtree(world / name, ignore_errors=True)  # one failure is enough
    assert after == before


@pytest.fixture
def run(world, tmp_path, monkeypatch):
    """A copy of the finished run, to be damaged."""
    monkeypatch.chdir(world)
    return sg.Run(Path(shutil.copytree(world / "run", tmp_path / "run")))


SOURCES = {
    "train empty -o new": (4, "empty is empty; give a folder or .zip with images in it"),
    "train nowhere -o new": (2, "there is no file or folder"),
    "train texts -o new": (4, "there is no image in"),
    "train one -o new": (4, "needs at least 2 images"),
    "train one/0000.png -o new": (4, "one image is not a set"),
    "train file -o new": (4, "neither an image nor a readable archive"),
    "train builtin:nope -o new": (2, "choose builtin:critters"),
    "train run -o new": (4, "made by steadygan and is no folder of images"),
    "train cut -o new": (4, "images.npy is missing or cut short"),
    "train rubbish -o new": (4, "dataset.json cannot be read"),
    "train set -o new --size 32": (2, "holds images of 16 pixels, not 32; prepare it again with --size 32"),
    "train pictures -o new --size 8": (2, "make images of 16 to 256 pixels, not 8; choose another --size"),
    "train pictures -o new --size 500": (2, "make images of 16 to 256 pixels, not 500; choose another --size"),
    "train pictures -o new --size 418": (2, "another --size, the nearest: 256"),
    "prepare pictures -o new --size 1": (2, "size: 1 pixel is a point and no picture; choose 2 to 4096 pixels"),
    "prepare pictures -o new --size 0": (2, "size: input should be greater than or equal to 1, got 0"),
    "prepare pictures -o new --size -3": (2, "size: input should be greater than or equal to 1, got -3"),
    "prepare pictures -o new --size 100000": (2, "size: input should be less than or equal to 4096, got 100000"),
    "train pictures -o new --size 5000": (2, "size: "),
    "train pictures -o new --size 0": (2, "size: input should be greater than or equal to 1"),
    "train pictures -o new --set networks.kind=points": (2, "the points pair makes points"),
    "train builtin:ring -o new --size 64": (2, "builtin:ring cannot be drawn at size 64"),
}

OUTPUTS = {
    "train pictures -o full": (2, "full exists; "),
    "train pictures -o file": (2, "file exists; "),
    "train pictures -o file/new": (4, "a part of the path is a file, not a folder"),
    "train pictures -o pictures": (2, "choose another folder with -o"),
    "train pictures -o pictures/new": (2, "choose another folder with -o"),
    "train pictures -o run": (2, "steadygan resume run"),
    "prepare pictures -o full": (2, "choose another folder with -o"),
    "prepare pictures -o file": (2, "choose another folder with -o"),
    "prepare pictures -o set --size 32": (2, "choose another folder with -o"),
    "prepare pictures -o run": (2, "choose another folder with -o"),
    "prepare pictures -o cut --size 16": (4, "images.npy is missing or cut short"),
    "sample run -o full": (2, "not empty; give a new one"),
    "sample run -o file": (2, "-o file: "),
    "sample run -o file/grid.png": (4, "a part of the path is a file, not a folder"),
    "sample run -o folder.png": (4, "cannot write folder.png"),
    "sample run -o grid.txt": (2, "FILE.png for a grid"),
    "sample run -o grid.jpg": (2, "FILE.png for a grid"),
    "export run -o model.xyz": (2, "FILE.safetensors"),
    "export run -o model": (2, "FILE.safetensors"),
}

RECIPE_MISTAKES = {
    "dcgann": "did you mean 'dcgan'?",
    "nothing-like-it": "There are: ",
    "missing.toml": "cannot read the recipe file missing.toml",
    "folder.toml": "cannot read the recipe file folder.toml",
    "broken.toml": "broken.toml is not valid TOML",
    "binary.toml": "binary.toml is not valid TOML",
    "missing.py:faces": "there is no file missing.py",
    "mine.py:faces": "mine.py has no function faces",
    "mine.py:text": "mine.py has no function text",
    "mine.py:number": "must return a RunConfig, not int",
    "mine.py:broken": "division by zero",
    "mine.py:misspelled": "batchh",
    "mine.py": "FILE.py:FUNCTION",
    "syntax.py:a": "invalid syntax",
    "imports.py:a": "no_such_package",
}

SETTING_MISTAKES = {
    "sede=3": "sede: no such setting; did you mean 'seed'?",
    "optimizer.generator.lrr=1": "optimizer.generator.lrr: no such setting; did you mean 'lr'?",
    "batch=abc": "batch: input should be a valid integer",
    "batch=1.5": "batch: input should be a valid integer",
    "batch=1": "batch: input should be greater than or equal to 2",
    "seed=-1": "seed: input should be greater than or equal to 0",
    "optimizer.generator.lr=-1": "optimizer.generator.lr: must be more than 0",
    "loss.kind=hingee": "did you mean 'hinge'?",
    "loss.kind=points": "loss.kind: 'points' is not one of ",
    "loss=7": "loss: name the part, as in loss.kind=NAME",
    "loss.nope=3": "loss.nope: no such setting",
    "penalties=3": "penalties: ",
    'penalties=[{"kind":"r9"}]': "penalties[0].kind: 'r9' is not one of ",
    'penalties=[{"kind":"r1","gama":3}]': "penalties[0].gama: no such setting; did you mean 'gamma'?",
    "batch": "--set batch: write it as --set name.of.setting=value",
    "=3": "write it as --set name.of.setting=value",
    "a..b=3": "write it as --set name.of.setting=value",
}

RESULTS = {
    "resume nowhere": (4, "nowhere is not the folder of a run"),
    "resume pictures": (4, "pictures is not the folder of a run"),
    "resume run": (2, "give a larger one, such as --images 192"),
    "resume run --steps 12": (2, "give a larger one"),
    "resume run --minutes 0": (2, "minutes: input should be greater than 0"),
    "sample nowhere -o grid.png": (2, "there is no run folder or exported file at nowhere"),
    "sample empty -o grid.png": (4, "empty is not the folder of a run"),
    "sample file -o grid.png": (4, "file is not a safetensors file"),
    "sample unsaved -o grid.png": (4, "unsaved has no best checkpoint"),
    "export unsaved -o model.safetensors": (4, "unsaved has no best checkpoint"),
    "sample run -o grid.png --checkpoint images-1": (2, "there are: best, latest, images-"),
    "compare run nowhere": (4, "nowhere is not the folder of a run"),
    "note nowhere 'it works'": (4, "nowhere is not the folder of a run"),
    "inspect nowhere": (2, "there is no file or folder nowhere"),
    "inspect empty": (4, "empty is empty"),
    "inspect cut": (4, "images.npy is missing or cut short"),
    "recipes dcgann": (2, "did you mean 'dcgan'?"),
}

USAGE = {
    "trian": "no such command 'trian'. Did you mean 'train'",
    "--nope": "no such option: --nope",
    "train": "missing argument 'source'",
    "train pictures pictures": "unexpected extra argument",
    "train pictures --stpes 3": "no such option: --stpes",
    "train pictures --size abc": "invalid value for '--size'",
    "train pictures --images 0": "invalid value for '--images'",
    "train pictures --minutes -1": "minutes: input should be greater than 0",
    "train pictures --set runtime.device=tpu": "'tpu' is not one of 'auto', 'cpu'",
    "train pictures --set runtime.precision=half": "'half' is not one of 'auto', 'float32'",
    "prepare pictures": "missing option '-o'",
    "prepare pictures -o new --size 5000": "size: input should be less than or equal to 4096",
    "prepare pictures -o new --fit bend": "'bend' is not one of 'crop', 'pad', 'stretch'",
    "prepare -o new": "there is no source of images",
    "prepare pictures -o new --frames some": "'some' is not one of 'first' or 'all'",
    "prepare pictures -o new --held-out 0.9": "held_out",
    "prepare pictures -o new --duplicates burn": "duplicates",
    "prepare pictures -o new --background white": "'white' should be numbers with commas",
    "prepare pictures -o new --background 1,2,300": "background",
    "prepare pictures -o new --crop noses": "'noses' is neither middle nor faces",
    "prepare pictures -o new --crop faces --fit pad": "leave --fit pad out",
    "prepare pictures -o new --stride 4": "stride: only tiles have it; give --tile",
    "prepare pictures -o new --tile 4": "tiles.side",
    "prepare pictures -o new --min-content 0.1": "min_content: only tiles have it; give --tile",
    "prepare pictures -o new --crops 3": "crops: only random crops are several",
    "prepare pictures -o new --rate 3": "rate: is of map tiles from a server; give its address with --xyz",
    "prepare pictures -o new --attribution me": "attribution: is of map tiles",
    "prepare pictures -o new --yes": "yes: is of map tiles",
    "prepare pictures -o new --tile 16 --bands 1,2": "one (grey) or three (red, green, blue), not 2",
    "prepare -o new --xyz http://127.0.0.1/{z}/{x}/{y}.png --zoom 3": "say which tiles with --bbox",
    "prepare pictures -o new --zoom 3": "give its address with --xyz",
    "prepare -o new --xyz http://127.0.0.1/{z}/{x}/{y}.png --zoom 18 --bbox 5,45,15,55": "are not fetched unasked",
    "prepare -o new --xyz http://127.0.0.1/{z}/{x}/{y}.png --zoom 3 --bbox 9,45,5,55": "west,south,east,north",
    "prepare -o new --xyz ftp://h/{z}/{x}/{y} --zoom 3 --bbox 5,45,9,55": "begins with http",
    "prepare pictures -o new --limit 1.5": "write it as 200000, 200_000, 200k",
    "prepare pictures -o new --workers -1": "invalid value for '--workers'",
    "sample run": "missing option '-o'",
    "sample run -n 0 -o grid.png": "invalid value for '-n'",
    "compare": "missing argument 'runs'",
    "note run": "missing argument 'text'",
    "bench": "missing command",
}


@pytest.mark.parametrize("line", {**SOURCES, **OUTPUTS, **RESULTS})
def test_a_mistake_is_refused_in_one_line_and_changes_nothing(here, refusal, line):
    code, words = {**SOURCES, **OUTPUTS, **RESULTS}[line]
    assert words in refusal(line, code)


@pytest.mark.parametrize("recipe", RECIPE_MISTAKES)
def test_a_recipe_that_cannot_be_used_is_refused_by_name(here, refusal, recipe):
    said = refusal(["train", "pictures", "-o", "new", "--recipe", recipe], 2)
    assert RECIPE_MISTAKES[recipe] in said
    assert recipe.partition(":")[0] in said


@pytest.mark.parametrize("setting", SETTING_MISTAKES)
def test_a_wrong_setting_is_refused_by_its_dotted_name(here, refusal, setting):
    assert SETTING_MISTAKES[setting] in refusal(["train", "pictures", "-o", "new", "--set", setting], 2)


def test_all_wrong_settings_are_named_at_once(here, refusal):
    said = refusal("train pictures --set sede=3 --set batch=abc --set loss.kind=x", 2, problems=3)
    assert all(word in said for word in ("sede", "batch", "loss.kind"))
    said = refusal("train pictures -o new --recipe wrong.toml", 2, problems=2)
    assert all(word in said for word in ("sede", "batch"))


@pytest.mark.parametrize("line", USAGE)
def test_wrong_usage_is_said_in_one_line(here, refusal, line):
    assert USAGE[line] in refusal(line, 2)


def test_settings_of_the_images_that_a_prepared_set_was_made_without_are_refused(here, refusal, tmp_path):
    sg.prepare("pictures", tmp_path / "set", sg.PrepareSettings(size=16, fit="pad"), workers=0)
    for setting, words in (("data.labels=none", "prepared with auto, not none"), ("data.fit=stretch", "with pad, not")):
        said = refusal(["train", tmp_path / "set", "-o", "new", "--set", setting], 2)
        assert setting.partition("=")[0] in said
        assert words in said
    assert exit_code(["train", tmp_path / "set", "-o", tmp_path / "run", *SMALL, "--set", "data.fit=pad"]) == 0


def test_a_device_that_is_not_there_is_refused(here, refusal):
    missing = next(
        name for name, module in (("mps", torch.backends.mps), ("cuda", torch.cuda)) if not module.is_available()
    )
    said = refusal(["train", "pictures", "-o", "new", "--set", f"runtime.device={missing}"], 2)
    assert f"has no {missing}; available: " in said


@pytest.mark.parametrize("line", ["train ten -o new --size 8", "train ten -o file/new"])
def test_what_cannot_work_is_refused_before_the_images_are_prepared(here, tmp_path, capsys, monkeypatch, line):
    monkeypatch.setenv("STEADYGAN_CACHE", str(tmp_path / "cache"))
    assert exit_code(line) in (2, 4)
    assert "preparing" not in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_ten_images_train_with_a_word_of_advice_and_lines_instead_of_bars(world, tmp_path, capsys):
    assert exit_code(["train", world / "ten", "-o", tmp_path / "my run", "--steps", 4]) == 0
    shown = capsys.readouterr()
    assert "10 images are very few" in shown.err
    assert sum("images/s" in line and "left" in line for line in shown.err.splitlines()) == 2
    assert "\r" not in shown.err + shown.out
    assert "\x1b" not in shown.err + shown.out
    assert [line.split()[0] for line in shown.out.splitlines()] == [
        "grid",
        "animation",
        "curves",
        "report",
        "run",
        "next:",
    ]
    assert f"steadygan sample '{tmp_path / 'my run'}'" in shown.out, "ready to be pasted"


def test_a_run_that_diverges_leaves_with_5_and_names_what_to_try(world, refusal, tmp_path):
    line = ["train", world / "pictures", "-o", tmp_path / "run", "--steps", 20, "--set", "optimizer.generator.lr=1e30"]
    said = refusal(line, 5)
    assert "diverged" in said
    assert ".lr=" in said


def test_ctrl_c_while_training_saves_and_says_how_to_go_on(world, refusal, tmp_path):
    run = sg.Run(tmp_path / "run")

    def interrupt():
        while not over.wait(0.01):
            if run.files.log.exists():
                os.kill(os.getpid(), signal.SIGINT)
                break

    over = threading.Event()
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        said = refusal(["train", world / "pictures", "-o", run.path, "--steps", 100_000], 130)
    finally:
        over.set()
        thread.join()
    assert f"continue with `steadygan resume {run.path}`" in said
    assert run.files.pointed(run.files.latest) == run.files.checkpoint(run.log()[-1].images)


DAMAGES = {
    "generator cut": ("generator.safetensors", lambda data: data[: len(data) // 2]),
    "average flipped": ("average.safetensors", lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]),
    "discriminator empty": ("discriminator.safetensors", lambda data: b""),
    "state gone": ("state.safetensors", None),
    "meta cut": ("meta.json", lambda data: data[: len(data) // 2]),
    "meta binary": ("meta.json", lambda data: b"\xff\xfe"),
    "meta of another kind": ("meta.json", lambda data: b"[]"),
    "meta without digests": ("meta.json", lambda data: json.dumps({**json.loads(data), "sha256": {}}).encode()),
    "meta gone": ("meta.json", None),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_with_the_name_of_an_earlier_one(run, refusal, damage):
    name, change = DAMAGES[damage]
    file = run.files.pointed(run.files.latest) / name
    if change:
        file.write_bytes(change(file.read_bytes()))
    else:
        file.unlink()
    before = snapshot(run.path)
    said = refusal(["resume", run.path, "--steps", 20], 4)
    assert "images-000000064" in said
    assert file.name in said or file.parent.name in said
    assert snapshot(run.path) == before


def test_the_advice_about_a_damaged_checkpoint_works(run, world, tmp_path):
    (run.files.pointed(run.files.latest) / "state.safetensors").write_bytes(b"")
    run.files.latest.write_text("images-000000064\n")
    assert exit_code(["resume", run.path]) == 0
    prints = [fingerprint(folder / "checkpoints" / "images-000000096") for folder in (run.path, world / "run")]
    assert prints[0] == prints[1]


def test_a_damaged_best_checkpoint_leaves_the_others_to_sample_from(run, refusal, tmp_path):
    best = run.files.pointed(run.files.best)
    (best / "average.safetensors").write_bytes(b"")
    said = refusal(["sample", run.path, "-o", tmp_path / "grid.png"], 4)
    assert str(best / "average.safetensors") in said
    assert "--checkpoint" in said
    other = next(folder.name for folder in run.files.all_checkpoints() if folder != best)
    assert exit_code(["sample", run.path, "-o", tmp_path / "grid.png", "--checkpoint", other]) == 0


def test_a_run_stopped_before_its_first_pointer_was_written_goes_on(run, world):
    """The disk was full, or the power went, after the folder of the first checkpoint and before `latest`."""
    first, *later = run.files.all_checkpoints()
    for folder in later:
        shutil.rmtree(folder)
    for file in (run.files.latest, run.files.best, run.files.scores):
        file.unlink()
    assert exit_code(["resume", run.path]) == 0
    assert run.files.latest.read_text().strip() == "images-000000096"
    assert fingerprint(run.files.checkpoint(96)) == fingerprint(world / "run" / "checkpoints" / "images-000000096")
    assert run.scores()[0].images == checkpoint_images(first), "its score stands in its meta.json"
    assert run.files.best.exists()


def test_a_pointer_to_nowhere_is_refused_with_the_names_that_are_there(run, refusal):
    for text in (b"rubbish", b"", b"\xff\xfe", b"images-000000001"):
        run.files.latest.write_bytes(text)
        assert "images-000000096" in refusal(["resume", run.path, "--steps", 20], 4)


def test_a_run_whose_checkpoints_were_deleted_does_not_lose_the_rest(world, refusal, tmp_path):
    run = Path(shutil.copytree(world / "unsaved", tmp_path / "run"))
    before = snapshot(run)
    refusal(["resume", run, "--steps", 20], 4)
    assert snapshot(run) == before


def test_files_of_the_users_own_in_a_run_folder_disturb_nothing(run):
    own = [run.files.samples / "favourite.png", run.path / "thoughts.txt"]
    for file in own:
        file.write_text("mine")
    copies = [run.files.checkpoints / name for name in ("images-000000064 (copy)", "images-before-exam")]
    for folder in copies:
        shutil.copytree(run.files.checkpoint(64), folder)
    assert exit_code(["resume", run.path, "--steps", 20]) == 0
    assert all(path.exists() for path in own + copies)


def edit(run: sg.Run, change) -> None:
    info = json.loads(run.files.run_json.read_text())
    change(info)
    run.files.run_json.write_text(json.dumps(info))


EDITS = {
    "another seed": (lambda info: info["config"].update(seed=4), 2, 1, "seed was 0 and is now 4"),
    "another size": (lambda info: info["config"].update(size=32), 2, 1, "size was 16 and is now 32"),
    "another rate": (
        lambda info: info["config"]["optimizer"]["generator"].update(lr=0.5),
        2,
        1,
        "optimizer.generator.lr was ",
    ),
    "unknown settings": (lambda info: info["config"].update(betch=1, sede=2), 2, 2, "did you mean 'batch'?"),
    "unknown part": (lambda info: info["config"].update(loss={"kind": "of tomorrow"}), 2, 1, "loss.kind: "),
    "wrong type": (lambda info: info["config"].update(batch="many"), 2, 1, "batch: input should be a valid integer"),
    "no configuration": (lambda info: info.pop("config"), 4, 1, "run.json"),
    "no data": (lambda info: info.pop("data"), 4, 1, "run.json"),
    "configuration of another kind": (lambda info: info.update(config=[1]), 4, 1, "run.json"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_run_json_is_refused_with_what_was_changed(run, refusal, name):
    change, code, problems, words = EDITS[name]
    edit(run, change)
    before = snapshot(run.path)
    assert words in refusal(["resume", run.path, "--steps", 20], code, problems)
    assert snapshot(run.path) == before


def test_an_edited_run_json_is_taken_where_no_weight_follows_from_what_was_changed(run):
    def change(info):
        info["config"]["log"] = {"every_steps": 2}
        info["config"]["samples"]["count"] = 16
        info["config"]["checkpoint"]["keep"] = 7
        info["config"]["scores"]["metrics"] = []
        info["config"]["budget"] = {"steps": 20}

    edit(run, change)
    assert exit_code(["resume", run.path]) == 0
    assert [tick.step for tick in run.log()][-3:] == [16, 18, 20]


@pytest.mark.parametrize("content", [b"hello {", b"\xff\xfe", b"[]", b"{}", b""])
def test_a_run_json_that_is_none_is_refused_by_every_command(run, refusal, tmp_path, content):
    run.files.run_json.write_bytes(content)
    for line in (["resume", run.path], ["sample", run.path, "-o", tmp_path / "grid.png"], ["compare", run.path]):
        assert "run.json" in refusal(line, 4)


@pytest.mark.slow
def test_another_data_set_is_refused_with_what_to_do(world, refusal, tmp_path):
    draw(tmp_path / "photos", 12)
    assert exit_code(["train", tmp_path / "photos", "-o", tmp_path / "run", "--steps", 2]) == 0
    shutil.copy(world / "ten" / "0003.png", tmp_path / "photos" / "holiday.png")
    before = snapshot(tmp_path)
    said = refusal(["resume", tmp_path / "run", "--steps", 4], 4)
    assert "are not those this run was trained on" in said
    assert "--data" in said
    assert snapshot(tmp_path) == before


def test_a_run_from_another_machine_samples_and_resumes_once_told_where_the_images_are(run, refusal, tmp_path, world):
    edit(run, lambda info: info["config"]["data"].update(source="/home/somebody/else"))
    assert "--data" in refusal(["resume", run.path, "--steps", 20], 4)
    assert exit_code(["sample", run.path, "-o", tmp_path / "grid.png"]) == 0
    assert exit_code(["export", run.path, "-o", tmp_path / "model.safetensors"]) == 0
    assert exit_code(["resume", run.path, "--steps", 20, "--data", "pictures"]) == 0
    assert run.info().config["data"]["source"] == str(world / "pictures"), "the next resume may start elsewhere"


def test_a_data_set_cut_short_says_so_to_a_resumed_run_too(here, refusal, tmp_path):
    shutil.copytree("set", tmp_path / "set")
    assert exit_code(["train", tmp_path / "set", "-o", tmp_path / "run", "--steps", 2]) == 0
    (tmp_path / "set" / "images.npy").write_bytes(b"")
    assert "images.npy is missing or cut short" in refusal(["resume", tmp_path / "run", "--steps", 4], 4)


def test_an_exported_file_that_was_cut_short_is_refused(here, refusal, tmp_path):
    assert exit_code(["export", "run", "-o", tmp_path / "model.safetensors"]) == 0
    whole = (tmp_path / "model.safetensors").read_bytes()
    for length in (0, 5, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.safetensors").write_bytes(whole[:length])
        assert "cut short" in refusal(["sample", tmp_path / "cut.safetensors", "-o", tmp_path / "grid.png"], 4)
    weights = next(Path("run/checkpoints").glob("*/generator.safetensors"))
    assert "was not written by `steadygan export`" in refusal(["sample", weights, "-o", tmp_path / "grid.png"], 4)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_dry_run_prints_toml_that_gives_the_same_configuration_again(here, recipe, tmp_path, capsys):
    given = ["--images", "5000", "--seed", "3", "--set", 'penalties=[{"kind":"r1","gamma":0.5}]']
    line = ["train", "pictures", "--recipe", recipe, *given, "--set", "data.mirror=true", "--dry-run"]
    with pytest.raises(SystemExit):
        main(line)
    text = capsys.readouterr().out
    shown = [tomllib.loads(text)]
    for name in ("again.toml", "and again.toml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(SystemExit):
            main(["train", "pictures", "--recipe", str(tmp_path / name), "--dry-run"])
        text = capsys.readouterr().out
        shown.append(tomllib.loads(text))
    assert shown[0]["budget"] == {"images": 5000}
    assert shown[0]["penalties"][0]["gamma"] == 0.5
    assert [Path(tree.pop("recipe")).name for tree in shown] == [recipe, "again.toml", "and again.toml"]
    assert shown[0] == shown[1] == shown[2]


def test_recipes_are_listed_and_shown_with_their_source(here, capsys):
    assert exit_code("recipes") == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(RECIPES)
    assert all(len(line.split()) > 3 for line in listed)
    assert exit_code("recipes dcgan") == 0
    shown = capsys.readouterr().out
    assert "1511.06434" in shown
    assert tomllib.loads(shown)["recipe"] == "dcgan"


@pytest.mark.parametrize("name", ["", *COMMANDS, "bench step", "bench prepare", "bench modes", "bench device"])
def test_every_command_has_help(name, capsys):
    assert exit_code([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: steadygan {name}".rstrip())
    assert "--help" in shown


def test_version_is_shown(capsys):
    assert exit_code("--version") == 0
    assert capsys.readouterr().out.strip() == sg.__version__


def test_no_command_shows_the_help_and_counts_as_wrong_usage(capsys):
    assert exit_code([]) == 2
    assert capsys.readouterr().err.startswith("Usage: steadygan ")


@pytest.mark.parametrize("line", ["--debug inspect nowhere", "inspect nowhere --debug"])
def test_debug_shows_the_traceback_and_the_line(here, capsys, line):
    assert exit_code(line) == 2
    errors = capsys.readouterr().err
    assert "Traceback (most recent call last)" in errors
    assert errors.splitlines()[-1].startswith("steadygan: there is no file or folder")


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_preparing_it_says_so_and_keeps_what_is_done(tmp_path, kind):
    line = command("prepare", "builtin:critters", "-o", tmp_path / "set", "--size", "128", "--workers", "0")
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline().startswith("preparing images")
    process.send_signal(kind)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "steadygan: preparing was interrupted; the same command goes on where it stopped"
    assert [path.name for path in tmp_path.iterdir()] == [".set.part"]


@pytest.mark.slow
def test_a_second_run_in_one_process_may_use_another_precision(world, tmp_path):
    for precision in ("bfloat16", "float32"):
        line = ["train", world / "pictures", "-o", tmp_path / precision, "--set", f"runtime.precision={precision}"]
        assert exit_code(line) == 0
        assert sg.Run(tmp_path / precision).info().device.precision == precision
