"""From a configuration to the parts of a run; whatever can be refused is refused here, before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from steadygan.data import Dataset, PrepareSettings, is_dataset, open_dataset, prepare_cached, resplit, smaller
from steadygan.errors import ConfigError
from steadygan.networks import Pair, classes_of
from steadygan.networks.freezing import keep, layers_of
from steadygan.objectives.view import JointForDiscriminator, JointView, View
from steadygan.runs import LayerWay, Run
from steadygan.spec import ImageSpec
from steadygan.training.average import Average
from steadygan.training.check import check, check_early
from steadygan.training.config import DataSettings, RunConfig
from steadygan.training.console import Reporter, Silent
from steadygan.training.convolutions import settle_convolutions
from steadygan.training.game import Game
from steadygan.training.restoring import with_weights
from steadygan.training.runtime import Runtime, choose
from steadygan.training.seeds import seed_everything
from steadygan.training.session import Session
from steadygan.training.threads import Threads


@dataclass(frozen=True)
class Parts:
    """What a run is made of, placed on the machine but not yet wrapped for several processes."""

    config: RunConfig
    dataset: Dataset
    runtime: Runtime
    pair: Pair
    average: Average

    def with_config(self, config: RunConfig) -> Parts:
        """The same parts under another configuration of what is not built yet, and of the average."""
        self.average.settings = config.scheduled().ema
        return replace(self, config=config)

    def load_weights(self, tensors: Mapping[str, Mapping[str, Tensor]], where: Path) -> None:
        """Take those of a checkpoint or file, of the networks that are in it; DataError if they are of others."""
        networks = self.pair._asdict() | {"average": self.average.network}
        for name in networks.keys() & tensors.keys():
            with_weights(networks[name], tensors[name], where)

    def in_float32(self, remark: str) -> Parts:
        """The same parts in another precision; `remark` says why in `run.json`."""
        machine = self.config.runtime.model_copy(update={"precision": "float32"})
        choices = replace(self.runtime.choices, precision="float32", remark=remark, convolutions=None)
        config, runtime = self.config.model_copy(update={"runtime": machine}), Runtime(choices, self.runtime.compile)
        settle_convolutions(self.pair, config, runtime)
        average = Average(self.pair.generator, config.scheduled().ema)
        average.network.load_state_dict(self.average.network.state_dict())  # a run may not start from the generator's
        return replace(self, config=config, runtime=runtime, average=average)


def make_parts(
    config: RunConfig,
    console: Reporter,
    dataset: Dataset | None = None,
    convolutions: tuple[LayerWay, ...] | None = None,
    like: RunConfig | None = None,
) -> Parts:
    """Open the images, choose how to use the machine, build fresh networks; every `auto` is resolved in `config`.

    `convolutions` is how a run that goes on computed them. The weights are those that `like` would begin with wherever
    both have a layer alike (see `alike`).
    """
    runtime = Runtime(replace(choose(config.runtime), convolutions=convolutions), config.runtime.compile)
    if dataset is None:
        check_early(config, runtime.world)
        with runtime.accelerator.main_process_first():
            dataset = open_data(config, console if runtime.main else Silent())
    check(config, dataset.spec, runtime.world)
    machine = config.runtime.model_copy(
        update={name: getattr(runtime.choices, name) for name in ("device", "precision", "layout")}
    )
    config = config.model_copy(update={"size": dataset.spec.size, "runtime": machine})
    fresh = make_pair(config, dataset.spec)
    if like is not None:
        alike(fresh, config, like, dataset.spec)
    pair = Pair(*(runtime.place(network) for network in fresh))
    settle_convolutions(pair, config, runtime)
    if runtime.main:
        held = f", {len(dataset.held_out):,} of them held out" if len(dataset.held_out) else ""
        console.say(f"{len(dataset):,} images, {dataset.spec}{held}, from {config.data.source}")
        for line in (*dataset.on_rejected(), *dataset.advice):
            console.say(f"  {line}")
        console.say(runtime.choices.sentence())
    kept = _keep_first(config.freeze.discriminator, pair)
    if runtime.main and kept:
        console.say(kept)
    if runtime.main and (classes := classes_of(pair.generator)):
        console.say(f"the networks are told the {classes} classes; networks.conditional=false leaves them out")
    return Parts(config, dataset, runtime, pair, Average(pair.generator, config.scheduled().ema))


def open_data(config: RunConfig, console: Reporter) -> Dataset:
    """The data set of a run: a prepared folder, reduced if it is too large; all else is prepared into the cache."""
    return resplit(_opened(config, console), config.data.split_seed, console.say)


def _opened(config: RunConfig, console: Reporter) -> Dataset:
    source = config.data.source
    if not is_dataset(Path(source)):
        chosen = config.data.model_dump(include=set(PrepareSettings.model_fields))
        settings = PrepareSettings(size=config.size, **chosen)
        return prepare_cached(source, settings, progress=console.preparing, say=console.say)
    dataset = open_dataset(Path(source))
    made, usual = dataset.meta["settings"], DataSettings()
    for name in set(PrepareSettings.model_fields) & set(DataSettings.model_fields):
        wanted = getattr(config.data, name)
        if wanted not in (getattr(usual, name), made.get(name, wanted)):
            raise ConfigError(
                f"data.{name}: {source} was prepared with {made[name]}, not {wanted}; prepare it again, or leave it out"
            )
    same = config.size is None or config.size == dataset.spec.size
    return dataset if same else smaller(dataset, config.size or dataset.spec.size, console.preparing, console.say)


def make_pair(config: RunConfig, spec: ImageSpec) -> Pair:
    """The two networks with fresh weights that depend on the seed alone."""
    seed_everything(config.seed, "weights")
    return config.networks.build(spec)


def alike(pair: Pair, config: RunConfig, like: RunConfig, spec: ImageSpec) -> None:
    """Give fresh networks the first weights of others, under the same seed, where name and shape agree.

    One number more that is drawn for one layer would change all layers after it, and two runs that are to differ in one
    thing would differ in all weights. Networks of another kind, and players with another initialisation, stay.
    """
    ours, theirs = config.networks, like.networks
    if type(ours) is not type(theirs):
        return
    for name, network in make_pair(like.model_copy(update={"seed": config.seed}), spec)._asdict().items():
        if getattr(ours, f"{name}_init", None) != getattr(theirs, f"{name}_init", None):
            continue
        given = {_plain(place): value for place, value in network.named_parameters()}
        mine = getattr(pair, name)
        for place, value in mine.named_parameters():
            if (other := given.get(_plain(place))) is not None and other.shape == value.shape:
                value.data.copy_(other.data)
        _settle(mine)


_POWER_ITERATIONS = 15  # as many as torch makes when it begins with a spectral norm


def _plain(place: str) -> str:
    """The name of a parameter, whether something (a spectral norm) stands before it or not."""
    return place.replace("parametrizations.", "").removesuffix(".original")


def _settle(network: nn.Module) -> None:
    """Let spectral norms find the singular vectors of weights that are others now."""
    with torch.no_grad():
        for module in network.modules():
            for place in getattr(module, "parametrizations", ()):
                for _ in range(_POWER_ITERATIONS):
                    getattr(module, place)


def _keep_first(count: int, pair: Pair) -> str:
    """Keep the first layers of the discriminator as they are, and say so; ConfigError if none would be left to learn.

    Before the networks are wrapped: several processes would wait for gradients that never come.
    """
    layers = layers_of(pair.discriminator)
    if count and count >= len(layers):
        raise ConfigError(
            f"freeze.discriminator: {count} layers cannot stay as they are, the discriminator has {len(layers)} and "
            f"one has to learn; choose {max(0, len(layers) - 1)} or fewer"
        )
    for layer in layers[:count]:
        keep(layer)
    return f"the first {count} of the {len(layers)} layers of the discriminator stay as they are" if count else ""


def make_game(config: RunConfig, pair: Pair, spec: ImageSpec, processes: int = 1) -> Game:
    """The game the configuration describes, on networks that are already where they should be."""
    device, config = next(pair.generator.parameters()).device, config.scheduled()
    return Game(
        *pair,
        loss=config.loss,
        penalties=config.penalties,
        generator_terms=config.generator_terms,
        show=config.show.build(spec).to(device),
        replay=config.replay.build(spec).to(device),
        opponent=config.opponent,
        turns=config.turns,
        generator_optimizer=config.optimizer.generator,
        discriminator_optimizer=config.optimizer.discriminator,
        view={"separate": View, "joint": JointForDiscriminator, "joint_both": JointView}[config.batches],
        processes=processes,
    )


def make_session(parts: Parts, out: Path, console: Reporter) -> Session:
    """Wrap the networks for this machine and put everything together."""
    pair = Pair(*(parts.runtime.prepare(network) for network in parts.pair))
    game = make_game(parts.config, pair, parts.dataset.spec, parts.runtime.world)
    run, choices = Run(out), parts.runtime.choices

    def tell(text: str) -> None:
        console.say(text)
        run.note(text, "run")

    threads = Threads(choices.most_threads, choices.threads, choices.threads_pinned, tell)
    care = parts.config.care.build()
    return Session(
        parts.config, parts.dataset, run, parts.runtime, game, parts.average, threads, say=console.say, care=care
    )
