"""Programs of generators, as torch runs them and as the page's own script does, against the generators themselves."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import own_pairs
from steadygan.errors import ConfigError
from steadygan.export.compiling import compiled
from steadygan.export.directions import directions
from steadygan.export.packing import packed, unpacked
from steadygan.export.program import Program, levels_of
from steadygan.networks import Latents, classes_of, latents_of
from steadygan.training.seeds import fixed_latents
from tiny_recipes import spec_of, tiny_recipe

NODE = shutil.which("node")
RECIPES = {"steady": 0, "satellite": 0, "eleven-hacks": 0, "upsample": 0, "faces256": 0, "ten-lessons": 0, "msg": 0}
ALL = [*RECIPES.items(), ("sngan", 0), ("sngan", 3), ("r3gan", 0), ("r3gan", 3)]
QUICK = [("steady", 0), ("satellite", 0), ("msg", 0), ("sngan", 3), ("r3gan", 3)]
SETTINGS: dict[str, dict[str, Any]] = {
    "bilinear, elu, instance norm": {
        "upsampling": "bilinear",
        "generator_norm": "instance",
        "generator_activation": "elu",
    },
    "pixel shuffle to odd sides, silu, pixel norm": {
        "upsampling": "pixel_shuffle",
        "generator_norm": "pixel",
        "generator_activation": "silu",
    },
    "closing layers, self-modulation behind virtual batch norm": {
        "closing_layers": 1,
        "self_modulation": 3,
        "generator_norm": {"kind": "virtual_batch", "reference": 3},
    },
}


def stirred(network: nn.Module) -> nn.Module:
    """With weights and statistics that are nobody's default, so that nothing cancels."""
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        if tensor.dtype.is_floating_point and not name.endswith("batch"):
            spread = tensor.std() / 2 if tensor.ndim > 1 else 0.1
            tensor.data.add_(
                spread * torch.rand_like(tensor) if name.endswith("var") else spread * torch.randn_like(tensor)
            )
    return network.eval().requires_grad_(False)


@cache
def recipe_generator(name: str, classes: int = 0) -> tuple[nn.Module, Program]:
    """A generator and its program, which takes half a second to make."""
    torch.manual_seed(0)
    config = tiny_recipe(name, spec_of(name, classes))
    generator = stirred(config.networks.build(spec_of(name, classes)).generator)
    return generator, compiled(generator, latents_of(config.networks).dim, classes_of(generator))


def pictures(generator: nn.Module, latents: Tensor) -> Tensor:
    labels = [torch.arange(len(latents)) % classes_of(generator)] if classes_of(generator) else []
    with torch.no_grad():
        return torch.cat(
            [generator(latents[n : n + 1], *(it[n : n + 1] for it in labels)) for n in range(len(latents))]
        )


def same(generator: nn.Module, program: Program) -> None:
    latents = torch.randn(3, program.latent_dim)
    made = [program.run(latent, number % max(1, program.classes)) for number, latent in enumerate(latents)]
    torch.testing.assert_close(torch.stack(made), pictures(generator, latents).flatten(1), rtol=1e-3, atol=1e-4)
    assert torch.stack(made).std() > 0.01


@pytest.mark.parametrize(
    ("name", "classes"), [pytest.param(*one, marks=() if one in QUICK else pytest.mark.slow) for one in ALL]
)
def test_the_program_of_every_recipe_makes_its_generator_s_pictures(name: str, classes: int) -> None:
    generator, program = recipe_generator(name, classes)
    same(generator, program)
    again = unpacked(packed(program))
    assert all(map(torch.equal, again.constants, program.constants))
    assert json.loads(json.dumps(again.instructions)) == json.loads(json.dumps(packed(program).program["instructions"]))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_so_does_that_of_other_choices(settings: dict[str, Any]) -> None:
    spec = spec_of("dcgan").model_copy(update={"size": 18})
    config = tiny_recipe("dcgan", spec, networks={"width": 4, "max_width": 8, "latent_dim": 8, **settings})
    generator = stirred(config.networks.build(spec).generator)
    same(generator, compiled(generator, 8))


class Kinds(nn.Module):
    """What users may write that no recipe has."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = 3
        self.attend = nn.Conv2d(8, 8, 1)
        self.norms = nn.Sequential(nn.GroupNorm(2, 8), nn.LayerNorm(6), nn.PReLU(8))
        self.weights = nn.Parameter(torch.randn(8, 4, 3, 3))

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        told = torch.cat([latent, functional.one_hot(label, 3).float()], 1)
        maps = functional.pad(told.view(-1, 8, 2, 2).repeat(1, 1, 2, 2), (1, 1, 1, 1), value=0.5)
        maps = self.norms(maps) + functional.pad(maps, (1, 1, 1, 1), mode="reflect")[:, :, 1:-1, 1:-1].flip(2)
        spread = self.attend(maps).flatten(2)
        maps = maps + (spread @ torch.softmax(spread.mT @ spread, -1)).view_as(maps)
        maps = functional.conv2d(maps.roll(1, 3), self.weights, padding=2, dilation=2, groups=2, stride=1)
        first, second = functional.interpolate(maps, scale_factor=2, mode="bicubic").chunk(2, 1)
        maps = functional.gelu(first) * torch.sigmoid(second) + functional.softplus(first).clamp(0.1, 2)
        maps = functional.mish(functional.avg_pool2d(maps, 2)) / (maps.norm(dim=1).mean() + 1)
        return torch.where(maps > maps.amax((2, 3), keepdim=True) / 2, maps.std(1, keepdim=True) - maps, 1 - maps)


@cache
def users_generator(kind: Callable[[], nn.Module], latent_dim: int) -> tuple[nn.Module, Program]:
    torch.manual_seed(0)
    generator = stirred(kind())
    return generator, compiled(generator, latent_dim, classes_of(generator))


USERS: list[tuple[Callable[[], nn.Module], int]] = [
    (Kinds, 29),
    (own_pairs.Bare, 64),
    (own_pairs.FunctionalGenerator, 64),
]


@pytest.mark.parametrize(("kind", "latent_dim"), USERS)
def test_so_does_that_of_what_users_write(kind: Callable[[], nn.Module], latent_dim: int) -> None:
    same(*users_generator(kind, latent_dim))


class Median(nn.Module):
    def forward(self, latent: Tensor) -> Tensor:
        return latent.view(-1, 1, 2, 2).median(3).values


class Noisy(nn.Module):
    def forward(self, latent: Tensor) -> Tensor:
        return latent + torch.randn_like(latent)


class Choosing(nn.Module):
    def forward(self, latent: Tensor) -> Tensor:
        return latent * 2 if latent.sum() > 0 else latent


class Fixed(nn.Module):
    def forward(self, latent: Tensor) -> Tensor:
        return torch.ones(1, 3, 4, 4)


@pytest.mark.parametrize(
    ("generator", "why"),
    [(Median(), "median"), (Noisy(), "draws random numbers"), (Choosing(), "torch cannot say"), (Fixed(), "depend")],
)
def test_what_has_no_program_is_refused_in_one_line(generator: nn.Module, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as problem:
        compiled(generator, 4)
    assert "\n" not in str(problem.value)


def test_directions_of_a_linear_first_layer_are_its_right_singular_vectors() -> None:
    generator, program = recipe_generator("satellite")
    found = directions(program, torch.randn(2, program.latent_dim))
    weight: Any = generator.get_parameter("layers.0.weight")  # the batch norm is behind a reshape, and not in it
    truth = torch.linalg.svd(weight.double()).Vh[: len(found)].float()
    torch.testing.assert_close((found * truth).sum(1).abs(), torch.ones(len(found)), atol=1e-3, rtol=0)


SCRIPT = """
const {cases, seeds} = JSON.parse(require("fs").readFileSync(0, "utf8"));
(async () => {
    const made = [];
    for (const it of cases) {
        const constants = await constantsOf(Buffer.from(it.weights, "base64"), it.program.lengths, it.program.halves);
        const make = generatorOf(it.program, constants);
        made.push(it.latents.map((latent, n) => Array.from(make(latent, it.labels[n]))));
    }
    const latents = seeds.map(([seed, number, kind]) => Array.from(latentOf(seed, number, 101, kind)));
    console.log(JSON.stringify({made, latents}));
})();
"""


@pytest.mark.slow
@pytest.mark.skipif(NODE is None, reason="needs node")
def test_the_page_s_own_script_makes_the_same_pictures_from_the_same_seeds() -> None:
    cases, wanted = [], []
    for generator, program in [*(recipe_generator(*it) for it in ALL), *(users_generator(*it) for it in USERS)]:
        latents, text = torch.randn(2, program.latent_dim), packed(program)
        cases.append({"program": text.program, "weights": text.weights, "latents": latents.tolist(), "labels": [0, 1]})
        wanted.append(pictures(generator, latents).flatten(1))
    seeds = [(seed, number, kind) for seed in (0, -7, 2**53) for number in (0, 63) for kind in ("normal", "uniform")]
    code = "".join(files("steadygan.export").joinpath("assets", f"{it}.js").read_text() for it in ("engine", "latents"))
    given = json.dumps({"cases": cases, "seeds": [(str(seed), *more) for seed, *more in seeds]})
    assert NODE
    told = subprocess.run([NODE, "-e", code + SCRIPT], input=given, capture_output=True, text=True, check=True)
    answer = json.loads(told.stdout)
    for made, truth in zip(answer["made"], wanted, strict=True):
        torch.testing.assert_close(torch.tensor(made), truth, rtol=1e-3, atol=2e-4)
    for (seed, number, kind), made in zip(seeds, answer["latents"], strict=True):
        assert torch.equal(torch.tensor(made), fixed_latents([number], Latents(101, kind), seed, "sample")[0])


def test_half_the_weights_change_pictures_by_less_the_more_bits_are_left() -> None:
    _, program = recipe_generator("sngan")
    latents = torch.randn(4, program.latent_dim)
    truth = levels_of(map(program.run, latents))
    apart = [float((levels_of(map(program.rounded(bits).run, latents)) - truth).abs().max()) for bits in (4, 7, 10)]
    assert apart[0] > apart[1] > apart[2]
    assert len(packed(program.rounded(7)).weights) < 0.9 * len(packed(program.rounded(10)).weights)
