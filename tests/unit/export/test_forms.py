"""Every file form of every generator makes the pictures that it makes, without steadygan where that is promised."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import steadygan as sg
from fresh import NETWORKS
from steadygan.cli.main import main
from steadygan.errors import ConfigError, DataError
from steadygan.export import forms
from steadygan.export.forms import FORMS, Saved, save
from steadygan.ops.images import to_uint8
from steadygan.recipes.choose import RECIPES
from steadygan.spec import ImageSpec
from tiny_recipes import spec_of, tiny_recipe

onnxruntime = pytest.importorskip("onnxruntime", reason='needs onnxruntime: pip install "steadygan[onnx]"')
onnx = pytest.importorskip("onnx")

PAIRS = {
    **{f"{name}-{classes}": (name, classes) for name in RECIPES for classes in (0, 3)},
    **{f"networks {name}": (name, -1) for name in NETWORKS},
}
QUICK = {("sngan-3", suffix) for suffix in FORMS} | {("steady-0", ".safetensors")}
ALL = [(pair, suffix) for pair in PAIRS for suffix in FORMS]


def generator(pair: str) -> sg.TrainedGenerator:
    """One with fresh weights, of a recipe or of the networks of every family."""
    name, classes = PAIRS[pair]
    spec = ImageSpec(size=16, channels=3, classes=3) if classes < 0 else spec_of(name, classes)
    networks = NETWORKS[name] if classes < 0 else tiny_recipe(name, spec).networks
    torch.manual_seed(5)
    made = networks.build(spec).generator
    about = {"recipe": name, "images": 640, "class_names": ["sea", "a/b", "日本"][: spec.classes], "license": "mit"}
    return sg.TrainedGenerator(made, networks.model_dump(mode="json"), spec, networks.latent_dim, about)


def asked(model: sg.TrainedGenerator, count: int) -> dict[str, np.ndarray]:
    """Latents and labels as files that know nothing of steadygan take them."""
    inputs = [model.latents(count, seed=9).numpy(), *(label.flip(0).numpy() for label in model.labels(range(count)))]
    return dict(zip(("latent", "label"), inputs, strict=False))


def wanted(model: sg.TrainedGenerator, inputs: dict[str, np.ndarray]) -> torch.Tensor:
    with torch.inference_mode():
        return model(*map(torch.from_numpy, inputs.values()))


def of_onnx(file: Path, inputs: dict[str, np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(onnxruntime.InferenceSession(file).run(["images"], inputs)[0])


def of_program(file: Path, inputs: dict[str, np.ndarray]) -> torch.Tensor:
    return torch.export.load(file).module()(*map(torch.from_numpy, inputs.values()))


def of_weights(file: Path, inputs: dict[str, np.ndarray]) -> torch.Tensor:
    with torch.inference_mode():
        return sg.load(file)(*map(torch.from_numpy, inputs.values()))


PLAYED = {".safetensors": of_weights, ".onnx": of_onnx, ".pt2": of_program}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A function that gives a generator and the file it was written to, which is made once."""

    @cache
    def write(pair: str, suffix: str) -> tuple[sg.TrainedGenerator, Saved]:
        model = generator(pair)
        return model, save(model, tmp_path_factory.mktemp("written") / f"g{suffix}")

    return write


@pytest.mark.parametrize(
    ("pair", "suffix"), [pytest.param(*one, marks=() if one in QUICK else pytest.mark.slow) for one in ALL]
)
def test_a_file_makes_the_pictures_of_the_generator(written, pair, suffix):
    model, saved = written(pair, suffix)
    assert saved.levels < 0.01
    for count in (1, 4, 9):
        inputs = asked(model, count)
        torch.testing.assert_close(PLAYED[suffix](saved.path, inputs), wanted(model, inputs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("suffix", [".onnx", pytest.param(".pt2", marks=pytest.mark.slow)])
@pytest.mark.parametrize("pair", ["msg-0", pytest.param("sngan-3", marks=pytest.mark.slow)])
def test_grey_levels_are_made_inside_as_steadygan_makes_them(tmp_path, pair, suffix):
    model = generator(pair)
    for weight in model.generator.parameters():
        weight.data *= 1.5
    saved = save(model, tmp_path / f"g{suffix}", "uint8")
    inputs = asked(model, 7)
    assert pair != "msg-0" or wanted(model, inputs).abs().max() > 1, "nothing to be clipped"
    made = PLAYED[suffix](saved.path, inputs)
    apart = (made.int() - to_uint8(wanted(model, inputs)).int()).abs()
    assert made.dtype == torch.uint8
    assert made.float().std() > 1
    assert apart.max() <= 1
    assert (apart > 0).float().mean() < 1e-3


def test_files_say_what_is_in_them_and_nothing_of_this_machine(written):
    model = generator("sngan-3")
    files = [written("sngan-3", suffix)[1].path for suffix in FORMS]
    _, as_onnx, as_program = files
    read = {entry.key: entry.value for entry in onnx.load(as_onnx).metadata_props}
    extra = dict.fromkeys(read, "")
    torch.export.load(as_program, extra_files=extra)
    assert read == extra
    assert (read["recipe"], read["images"], read["license"]) == ("sngan", "640", "mit")
    assert json.loads(read["classes"]) == ["sea", "a/b", "日本"]
    assert f"(N, {model.latent_dim}), standard normal" in read["latent"]
    assert sg.load(files[0]).about == model.about
    for file in files:
        assert str(Path(sg.__file__).parents[1]).encode() not in file.read_bytes()
        assert b"site-packages" not in file.read_bytes()


ALONE = """
import sys
sys.modules["steadygan"] = None  # an import of it fails
import numpy
inputs = dict(numpy.load(sys.argv[2]))
if sys.argv[1].endswith(".onnx"):
    import onnxruntime
    images = onnxruntime.InferenceSession(sys.argv[1]).run(["images"], inputs)[0]
    assert "torch" not in sys.modules
else:
    import torch
    images = torch.export.load(sys.argv[1]).module()(*map(torch.from_numpy, inputs.values())).numpy()
numpy.save(sys.argv[3], images)
"""


@pytest.mark.parametrize("suffix", [".onnx", pytest.param(".pt2", marks=pytest.mark.slow)])
def test_a_fresh_process_without_steadygan_runs_it(written, tmp_path, suffix):
    model, saved = written("sngan-3", suffix)
    given, made = tmp_path / "in.npz", tmp_path / "out.npy"
    np.savez(given, **(inputs := asked(model, 5)))
    words = [sys.executable, "-I", "-c", ALONE, saved.path, given, made]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(made), wanted(model, inputs).numpy(), atol=1e-4)


@pytest.mark.parametrize("spoil", [lambda it: it + 0.01, lambda it: it * torch.nan, lambda it: it[:, :1]])
def test_a_file_that_makes_other_pictures_fails_and_is_not_there(tmp_path, monkeypatch, spoil):
    form = FORMS[".safetensors"]

    def read(model, file):
        play = form.read(model, file)
        return lambda *inputs: spoil(play(*inputs))

    monkeypatch.setitem(FORMS, ".safetensors", replace(form, read=read))
    with pytest.raises(DataError, match=r"g\.safetensors was not written: loaded again, its pictures differ"):
        save(generator("steady-0"), tmp_path / "g.safetensors")
    assert not list(tmp_path.iterdir())


def test_another_suffix_a_missing_package_and_what_a_form_cannot_are_one_line_before_any_work(tmp_path, monkeypatch):
    def said(*words):
        monkeypatch.setattr("steadygan.export.load", None)  # any work would fail on it
        with pytest.raises(SystemExit) as left:
            main(["export", str(tmp_path / "nowhere"), *words])
        return left.value.code

    monkeypatch.setattr(forms, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(ConfigError, match=r"needs onnxscript: pip install \"steadygan\[onnx\]\""):
        forms.form_of(Path("g.onnx"))
    with pytest.raises(ConfigError, match=r"as FILE\.safetensors, FILE\.onnx, FILE\.pt2 or FILE\.html$"):
        forms.form_of(Path("g.pth"))
    with pytest.raises(ConfigError, match=r"a \.safetensors holds weights alone"):
        forms.form_of(Path("g.safetensors"), "uint8")
    for words in (
        ["-o", "g.onnx"],
        ["-o", "g.pth"],
        ["-o", "g.safetensors", "--output", "uint8"],
        [],
        ["--output", "x"],
    ):
        assert said(*words) == 2
    assert said("-o", "g.pt2", "--hub-folder", "g") == 2


def test_what_is_too_large_for_a_form_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(FORMS, ".onnx", replace(FORMS[".onnx"], holds=100))
    with pytest.raises(ConfigError, match=r"more than a \.onnx holds"):
        save(generator("steady-0"), tmp_path / "g.onnx")


def test_a_generator_that_decides_by_its_numbers_is_told_what_it_can_be_written_to(tmp_path):
    class Deciding(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, latent):
            return latent[:, :, None, None] * self.weight if latent.sum() > 0 else latent[:, :, None, None]

    model = sg.TrainedGenerator(Deciding(), {"kind": "own"}, ImageSpec(size=1, channels=3), 3, {})
    with pytest.raises(ConfigError, match=r"export it as \.safetensors"):
        save(model, tmp_path / "g.pt2")
    assert not list(tmp_path.iterdir())
    assert save(model, tmp_path / "g.safetensors").levels == 0


@pytest.mark.parametrize(("suffix", "pair"), [(".onnx", "sngan-3"), (".pt2", "sngan-3"), (".safetensors", "steady-0")])
def test_the_lines_that_are_printed_make_64_pictures(written, suffix, pair):
    model, saved = written(pair, suffix)
    names: dict = {}
    exec(FORMS[suffix].use(model, saved.path), names)  # noqa: S102 - it is what users do with them
    assert names["images"].shape == (64, 3, 16, 16)
