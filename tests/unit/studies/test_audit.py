"""The audit of recipes, configurations, images and pairs of networks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import own_pairs as own
import steadygan as sg
from steadygan.errors import ConfigError, DataError
from steadygan.recipes import RECIPES, Facts, choose_recipe
from steadygan.records import Finding
from steadygan.training.audit import audit_config
from steadygan.training.changing import override
from steadygan.training.config import RunConfig


def grave(found: list[Finding]) -> set[str]:
    return {it.rule for it in found if it.severity != "info"}


def shaken(pair: own.Pair) -> own.Pair:
    """Biases that are not 0."""
    for layer in pair[1].modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.constant_(layer.bias, 0.3)
    return pair


class Scaled(nn.Module):
    """A good generator whose pictures are brought to 0..1 at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.net = own.drawn(own.stack(), own.judge())[0]

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.net(z) * 0.5 + 0.5


PAIRS = {
    "no-tanh": lambda: own.drawn(own.stack(end=nn.Sigmoid()), own.judge()),
    "another-range": lambda: (Scaled(), own.drawn(own.stack(), own.judge())[1]),
    "norm-in-generators-last-layer": lambda: own.drawn(own.stack(last_norm=True), own.judge()),
    "norm-in-discriminators-first-layer": lambda: own.drawn(own.stack(), own.judge(first_norm=True)),
    "no-leaky-relu": lambda: own.drawn(own.stack(), own.judge(slope=0)),
    "few-filters": lambda: own.drawn(own.stack(width=4), own.judge(width=4)),
    "lopsided-parameters": lambda: own.drawn(own.stack(), own.judge(width=64)),
    "default-initialisation": lambda: (own.stack(), own.judge()),
    "odd-initialisation": lambda: own.drawn(own.stack(), own.judge(), std=0.5),
    "nonzero-biases": lambda: shaken(own.drawn(own.FunctionalGenerator(), own.FunctionalDiscriminator())),
    "pooling": lambda: own.drawn(own.FunctionalGenerator(), own.FunctionalDiscriminator(pool=True)),
}


@pytest.mark.parametrize("fault", PAIRS)
def test_the_fault_of_a_pair_is_found(fault: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert fault in grave(sg.audit(PAIRS[fault]()))


@pytest.mark.parametrize(
    "pair",
    [
        lambda: own.drawn(own.stack(), own.judge()),
        lambda: own.drawn(own.stack(), own.judge(end=nn.Sigmoid())),
        lambda: own.drawn(own.FunctionalGenerator(), own.FunctionalDiscriminator()),
        own.mnist,
    ],
    ids=["dcgan", "with sigmoid", "functional", "dense"],
)
def test_a_good_pair_is_good(pair) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert grave(sg.audit(pair())) == set()


class Mapped(nn.Module):
    """A generator that maps its latents through many dense layers to the styles of a few maps."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Sequential(*(layer for _ in range(8) for layer in (nn.Linear(64, 64), nn.LeakyReLU(0.2))))
        self.styles = nn.ModuleList(nn.Linear(64, 32) for _ in range(3))
        self.maps = nn.ModuleList(nn.Conv2d(32, 32, 3, padding=1) for _ in range(3))
        self.last = nn.Conv2d(32, 3, 1)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        maps, z = z.new_ones(len(z), 32, 4, 4), self.map(z)
        for style, layer in zip(self.styles, self.maps, strict=True):
            maps = nn.functional.interpolate(maps * style(z)[..., None, None], scale_factor=2)
            maps = nn.functional.leaky_relu(layer(maps))
        return torch.tanh(self.last(maps))


def test_dense_layers_that_make_styles_are_no_depth() -> None:
    assert "asymmetric-depth" not in grave(sg.audit((Mapped(), own.judge())))


def test_layers_that_spectral_norm_scales_may_start_as_torch_leaves_them() -> None:
    scaled = [nn.utils.spectral_norm(one) if isinstance(one, nn.Conv2d) else one for one in own.judge()]
    generator = own.drawn(own.stack(), own.judge())[0]
    assert "default-initialisation" in grave(sg.audit((generator, own.judge())))
    assert "default-initialisation" not in grave(sg.audit((generator, nn.Sequential(*scaled))))


def test_weights_that_are_no_numbers_are_one_line() -> None:
    generator, discriminator = own.drawn(own.stack(), own.judge())
    nn.init.constant_(next(discriminator.parameters()), float("nan"))
    with pytest.raises(ConfigError, match=r"the discriminator: 0.weight holds values that are not finite"):
        sg.audit((generator, discriminator))


def test_a_pair_the_other_way_round_is_told_which_comes_first() -> None:
    with pytest.raises(ConfigError, match="generator first"):
        sg.audit((own.judge(), own.stack()))


def test_what_was_assumed_of_a_pair_is_said_unless_it_was_told() -> None:
    pair = own.drawn(own.stack(), own.judge())
    assert [it.evidence for it in sg.audit(pair) if it.rule == "assumed"] == [
        "the generator was given latents of 100×1×1, of which it makes pictures of 3×32×32"
    ]
    assert sg.audit(pair, latent=(100, 1, 1)) == []


def test_a_sigmoid_is_a_mistake_only_with_a_loss_that_takes_logits() -> None:
    pair = own.drawn(own.stack(), own.judge(end=nn.Sigmoid()))
    assert "sigmoid-with-logits" in grave(sg.audit(pair, loss="non_saturating"))
    assert "sigmoid-output" in {it.rule for it in sg.audit(pair)}


@pytest.mark.parametrize(
    ("low", "high", "wrong"), [(-1, 1, False), (0, 1, True), (0, 255, True), (-1 / 255, 1 / 255, True)]
)
def test_reals_in_another_range_are_found(low: float, high: float, wrong: bool) -> None:
    reals = torch.linspace(low, high, 4 * 3 * 32 * 32).view(4, 3, 32, 32)
    assert ("reals-range" in grave(sg.audit(own.drawn(own.stack(), own.judge()), reals=reals))) == wrong


QUICKER = {"satellite": {"networks": {"width": 16}}, "faces256": {"size": 64, "networks": {"width": 16}}}


def audited_recipe(name: str, size: int, settings: dict[str, Any]) -> list[Finding]:
    facts = Facts(size=1, channels=2) if name == "ring" else Facts(size=size)
    config = choose_recipe(name, facts)
    return audit_config(override(config, {"size": config.size or facts.size}, settings))


@pytest.mark.parametrize("name", RECIPES)
def test_the_audit_of_every_recipe_is_free_of_warnings(name: str) -> None:
    assert grave(audited_recipe(name, 32, QUICKER.get(name, {}))) == set()


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("name", RECIPES)
def test_the_audit_of_every_recipe_at_its_own_width_is_free_of_warnings(name: str, size: int) -> None:
    assert grave(audited_recipe(name, size, {})) == set()


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"optimizer": {"generator": {"lr": 2e-3}, "discriminator": {"lr": 2e-3}}}, "rate-too-high"),
        ({"networks": {"downsampling": "max_pool"}}, "pooling"),
        ({"networks": {"discriminator_activation": "relu"}}, "no-leaky-relu"),
        ({"networks": {"width": 4}}, "few-filters"),
        ({"networks": {"generator_init": {"kind": "normal", "std": 0.2}}}, "odd-initialisation"),
        ({"loss": "wasserstein"}, "critic-unbounded"),
        ({"penalties": "r1"}, "penalty-with-batch-norm"),
        ({"batches": "joint"}, "joint-batches"),
        ({"turns": {"kind": "fixed", "generator": 3}}, "favours-generator"),
        ({"budget": {"steps": 100}}, "few-steps"),
        ({"ema": {"half_life_images": 0}}, "no-average"),
    ],
)
def test_the_fault_of_a_configuration_is_found(settings, rule: str) -> None:
    config = choose_recipe("dcgan", Facts(size=32))
    assert rule in grave(audit_config(override(config, {"size": 32, **settings})))


def test_a_name_a_file_and_a_configuration_are_audited_alike(tmp_path) -> None:
    (tmp_path / "own.toml").write_text('recipe = "dcgan"\nbatches = "joint"\nsize = 32\n')
    assert "joint-batches" in grave(sg.audit(tmp_path / "own.toml"))
    assert grave(sg.audit("dcgan")) == grave(sg.audit(choose_recipe("dcgan"))) == set()
    assert "no-average" in grave(sg.audit(RunConfig(size=32, ema={"half_life_images": 0})))


def test_chance_and_the_networks_of_a_run_stay_as_they_were() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    audit_config(choose_recipe("dcgan", Facts(size=32)))
    assert torch.equal(torch.rand(1), expected)


def test_a_function_may_give_a_pair_a_configuration_or_a_recipe(tmp_path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from torch import nn\n"
        "import steadygan as sg\n"
        "def pair(): return nn.Sequential(nn.Linear(64, 784), nn.Sigmoid()), nn.Sequential(nn.Linear(784, 1))\n"
        "def config(): return sg.RunConfig(size=32, ema={'half_life_images': 0})\n"
        "def recipe(facts): return sg.RunConfig(size=32, batches='joint')\n"
        "def nothing(): return 3\n"
        "def broken(): return nn.Identity(), nn.Identity()\n"
    )
    assert "no-tanh" in grave(sg.audit(f"{file}:pair"))
    assert "no-average" in grave(sg.audit(f"{file}:config"))
    assert "joint-batches" in grave(sg.audit(f"{file}:recipe"))
    with pytest.raises(ConfigError, match="two networks are wanted"):
        sg.audit(f"{file}:nothing")
    with pytest.raises(ConfigError, match="no layer with weights"):
        sg.audit(f"{file}:broken")


@pytest.fixture
def photos(tmp_path):
    """Sixty images, a third of them grey, ten twice."""
    folder, rng = tmp_path / "photos", np.random.default_rng(0)
    folder.mkdir()
    for number in range(60):
        pixels = rng.integers(0, 255, (24, 24, 3), np.uint8)
        if number % 3 == 0:
            pixels[:] = pixels[..., :1]
        Image.fromarray(pixels).save(folder / f"{number}.png")
        if number < 10:
            Image.fromarray(pixels).save(folder / f"{number}-again.png")
    return folder


def test_what_is_the_matter_with_images_is_found_in_a_folder(photos, monkeypatch) -> None:
    monkeypatch.setattr("steadygan.data.inspection.cores", lambda: 0)
    assert {"very-few-images", "images-grey", "images-exact-duplicates"} <= grave(sg.audit(photos))


def test_a_data_set_is_audited_and_a_configuration_for_its_images(photos, tmp_path) -> None:
    dataset = sg.prepare(photos, tmp_path / "set", sg.PrepareSettings(size=16), workers=0)
    config = choose_recipe("dcgan", Facts(size=16))
    assert {"very-few-images", "images-grey", "images-exact-duplicates"} <= grave(sg.audit(tmp_path / "set"))
    found = audit_config(override(config, {"size": 16}), dataset)
    assert {"few-images-as-they-are", "batch-of-everything", "images-grey"} <= grave(found)
    assert json.loads(found[0].model_dump_json())["step"] == 0


def test_images_of_which_none_can_be_used_are_one_line(tmp_path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    with pytest.raises(DataError, match="holds no image that can be used"):
        sg.audit(tmp_path)


def test_images_that_are_not_there_are_one_line(tmp_path) -> None:
    with pytest.raises((ConfigError, DataError)) as problem:
        sg.audit(tmp_path / "nowhere")
    assert "\n" not in str(problem.value)
