"""How a run computes each convolution: as torch does, or in a way that was clearly faster when it was timed.

Neither the networks nor the game learn of it. A run that goes on computes as it did, whatever would be faster now.
"""

from __future__ import annotations

import copy
import time
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from steadygan.errors import ConfigError
from steadygan.networks import Pair, classes_of, latents_of
from steadygan.ops.convolution import WAYS, Form, compute_, form_of, weight_of
from steadygan.runs import LayerWay
from steadygan.training.config import RunConfig
from steadygan.training.runtime import Runtime
from steadygan.training.speed import LAYOUTS, timed

_LEAST_WORK = 1e9  # multiplications of both networks for a batch; with fewer a step is over before timing would pay
_SHARE = 0.01  # of that work, which a layer must have: next to an image it is small, but slow for what it is
_MOST_WORK = 3e9  # multiplications of what is timed: of a larger layer, fewer images
_GAIN = 1.25  # another way is taken where it is faster by this factor: what a layer gains alone, a step gains in part


@dataclass(frozen=True)
class Met:
    """A convolution as a run meets it: how fast each way is depends on this alone. `work`: multiplications."""

    form: Form
    maps: tuple[int, ...]
    weight: tuple[int, ...]
    bias: bool
    dtype: str
    bfloat16: bool
    layout: str
    work: int


def settle_convolutions(pair: Pair, config: RunConfig, runtime: Runtime) -> None:
    """Have each convolution of placed networks computed as the runtime's choices say, which are made here if need be.

    They are made on a processor alone, where no library does so by itself, and by the first of several processes.
    """
    chosen = runtime.choices.convolutions
    if config.runtime.convolution == "plain":
        chosen = ()
    elif chosen is None:
        chosen = runtime.agreed(_fastest(pair, config, runtime) if runtime.device.type == "cpu" else ())
    runtime.choices = replace(runtime.choices, convolutions=chosen)
    layers, ways = _layers(pair), {one.layer: one.way for one in chosen}
    for name, way in ways.items():
        if name not in layers or way not in WAYS:
            raise ConfigError(
                f"this run computed {name} in the way {way!r}, which these networks or this steadygan do not have; "
                "set runtime.convolution to plain in its run.json to go on without"
            )
    for name, (layer, _) in layers.items():
        compute_(layer, ways.get(name, "plain"))


def _layers(pair: Pair) -> dict[str, tuple[nn.Module, Form]]:
    """All convolutions and their forms by the names of their players and their own: "discriminator.layers.0"."""
    return {
        f"{player}.{name}": (layer, form)
        for player, network in pair._asdict().items()
        for name, layer in network.named_modules()
        if (form := form_of(layer))
    }


def _fastest(pair: Pair, config: RunConfig, runtime: Runtime) -> tuple[LayerWay, ...]:
    """The layers that are faster otherwise, of those that matter."""
    met = _met(pair, config, runtime)
    whole = sum(one.work for one in met.values())
    if whole < _LEAST_WORK:
        return ()
    best = cache(partial(_best, device=runtime.device.type, threads=runtime.choices.threads))
    found = [LayerWay(name, *best(one)) for name, one in met.items() if one.work > _SHARE * whole]
    return tuple(one for one in found if one.way != "plain")


@torch.no_grad()
def _met(pair: Pair, config: RunConfig, runtime: Runtime) -> dict[str, Met]:
    """What each convolution is given in a forward pass of copies of both networks on a batch of the run."""
    found: dict[str, Met] = {}
    copies = Pair(*(copy.deepcopy(network) for network in pair))

    def note(layer: Any, given: tuple[Tensor, ...], made: Tensor, name: str, form: Form) -> None:
        [maps], weight = given, weight_of(layer)
        found[name] = Met(
            form,
            tuple(maps.shape),
            tuple(weight.shape),
            layer.bias is not None,
            str(maps.dtype).removeprefix("torch."),
            torch.is_autocast_enabled(maps.device.type),
            runtime.choices.layout,
            (maps if form.transposed else made).numel() * weight[0].numel(),
        )

    for name, (layer, form) in _layers(copies).items():
        layer.register_forward_hook(partial(note, name=name, form=form))
    if _layers(copies):
        generator, discriminator = (runtime.prepare(network, alone=True) for network in copies)
        with torch.random.fork_rng(devices=[]):
            latent = latents_of(config.networks).draw(config.batch // runtime.world, device=runtime.device)
            labels = torch.zeros(len(latent), dtype=torch.int64, device=runtime.device)
            given = (labels,) if classes_of(pair.generator) else ()
            discriminator(generator(latent, *given), *given)
        runtime.forget()
    return found


def _best(met: Met, device: str, threads: int) -> tuple[str, float]:
    """The fastest way for a layer, and how many times as fast as torch's own it is; that one if in doubt."""
    high, wide = met.form.sides(*met.maps[2:])
    ways = [(name,) for name, way in WAYS.items() if way.fits(met.form, high * wide, met.bfloat16)]
    if len(ways) == 1:
        return "plain", 1.0
    seconds, settled = timed(device, threads, ways, lambda way: _pass_seconds(met, device, *way), layer=asdict(met))
    best = min(seconds, key=lambda way: seconds[way])
    usual = seconds["plain",]
    faster = settled and _GAIN * seconds[best] < usual
    return (best[0], round(usual / seconds[best], 2)) if faster else ("plain", 1.0)


def _pass_seconds(met: Met, device: str, way: str) -> float:
    """One forward and backward pass of a layer, whose maps come and go in the layout of the run."""
    layout, count = LAYOUTS[met.layout], max(1, int(met.maps[0] * min(1, _MOST_WORK / met.work)))

    def ones(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.ones(shape, dtype=dtype, device=device).to(memory_format=layout).requires_grad_()

    maps, weight = ones(count, *met.maps[1:], dtype=getattr(torch, met.dtype)), ones(*met.weight)
    channels = met.weight[1] * met.form.groups if met.form.transposed else met.weight[0]
    bias = torch.ones(channels, device=device, requires_grad=True) if met.bias else None
    start = time.perf_counter()
    with torch.autocast(device, torch.bfloat16, enabled=met.bfloat16):
        made = WAYS[way].compute(maps, weight, bias, met.form).contiguous(memory_format=layout)
    torch.autograd.grad(made, [maps, weight], torch.ones_like(made))
    return time.perf_counter() - start
