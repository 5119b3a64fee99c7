"""A GPU of shapes alone: what a step of training asks of a device, seen on a machine that has none.

Tensors have a device and a form and no numbers, so whatever needs a number, for which the host would wait, raises, and
so do operations on tensors of two devices. `python tests/fake_gpu.py recipes steady dcgan` plays on it and prints a
line of JSON. It is a program of its own, because torch never forgets a device.
"""

from __future__ import annotations

import itertools
import json
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from steadygan.data.loader import Batch
from steadygan.errors import ConfigError
from steadygan.networks import Pair, latents_of
from steadygan.spec import ImageSpec
from steadygan.training.average import Average
from steadygan.training.build import make_game, make_pair
from steadygan.training.changing import override
from steadygan.training.check import check
from steadygan.training.config import RunConfig
from steadygan.training.loop import step
from steadygan.training.session import Meter, Progress, Session
from tiny_recipes import spec_of, tiny_recipe


class FakeGPU(FakeTensorMode):
    """While it is `playing` it refuses copies from one device to another as well, for which the host has to wait."""

    avoid_device_init = True  # else torch.tensor(1.0) would be made where it cannot be
    playing = False

    def __deepcopy__(self, memo: dict[int, Any]) -> FakeGPU:
        """A network's copy is on the same device."""
        return self

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        places = {one.device.type for one in args if isinstance(one, torch.Tensor)}
        if func is torch.ops.aten._to_copy.default and kwargs and kwargs.get("device"):
            places.add(torch.device(kwargs["device"]).type)
        if self.playing and len(places) > 1 and func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default):
            raise RuntimeError(f"a copy between {' and '.join(sorted(places))}")
        return super().__torch_dispatch__(func, types, args, kwargs)


def session_of(config: RunConfig, spec: ImageSpec, pair: Pair, runtime: Any) -> Any:
    """What a step needs of a run."""
    session = SimpleNamespace(
        config=config,
        runtime=runtime,
        progress=Progress(),
        game=make_game(config, pair, spec),
        latents=latents_of(config.networks),
        average=Average(pair.generator, config.ema),
        meter=Meter(),
        given=lambda labels: (labels,) if spec.classes else (),
    )
    session.seeded = partial(Session.seeded, session)
    return session


def play(config: RunConfig, spec: ImageSpec, steps: int) -> None:
    """Some steps as a run takes them, but for the loading of images; the parts are made where they belong."""
    check(config, spec, 1)
    mode, device = FakeGPU(), torch.device("gpu")
    with mode, device:
        pair = Pair(*make_pair(config, spec))
        labels = torch.zeros(config.batch, dtype=torch.int64)
        batch = Batch(torch.rand(config.batch, spec.channels, spec.size, spec.size), labels)
        machine = SimpleNamespace(rank=0, world=1, device=device, to_layout=lambda images: images)
        session = session_of(config, spec, pair, machine)
    with mode:
        mode.playing = True
        for _ in range(steps):
            step(session, itertools.repeat(batch))
    places = {str(value.device) for value in (*session.game.report.values(), session.meter.total)}
    assert places == {"gpu:0"}, places


def outcome(configured: Callable[[], RunConfig], spec: ImageSpec, steps: int) -> str | None:
    """What went wrong, in a line; "" if nothing did, None if such a game is refused."""
    try:
        play(configured(), spec, steps)
    except ConfigError:
        return None
    except Exception as problem:  # noqa: BLE001 - it is the answer
        ours = [frame for frame in traceback.extract_tb(problem.__traceback__) if "steadygan" in frame.filename]
        where = f"{Path(ours[-1].filename).name}, {ours[-1].name}: {ours[-1].line}" if ours else "?"
        return f"{type(problem).__name__}: {str(problem).splitlines()[0]} ({where})"
    return ""


def technique(settings: dict[str, Any]) -> RunConfig:
    return override(RunConfig(), {"batch": 8, "networks": {"width": 4, "max_width": 8}}, settings)


def main(part: str, *names: str) -> None:
    """Play the recipes of these names, or every technique alone."""
    lacking = torch.library.Library("aten", "IMPL")  # gone with this name
    lacking.impl("_fused_sgd_", lambda *_, **__: None, "Meta")
    _setup_privateuseone_for_python_backend("gpu")
    torch.gpu.get_amp_supported_dtype = lambda: [torch.bfloat16]
    if part == "recipes":
        found = {name: outcome(partial(tiny_recipe, name, spec_of(name)), spec_of(name), 1) for name in names}
    else:
        from integration.test_techniques import SPEC, TECHNIQUES

        specs = {"networks=faces256": spec_of("faces256"), "classes": spec_of("sngan", classes=2)}
        classes = {"networks": {"kind": "sngan", "width": 4}, "generator_terms": ["mode_seeking"]}
        settings = TECHNIQUES | {"classes": classes}
        found = {name: outcome(partial(technique, settings[name]), specs.get(name, SPEC), 2) for name in settings}
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
