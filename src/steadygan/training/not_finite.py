"""Where values that are not finite come from: the step that made them, played once more with an eye on every layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from steadygan.data.loader import Batches
from steadygan.training.game import Game, bare, eager
from steadygan.training.seeds import derive
from steadygan.training.session import Session


def first_not_finite(session: Session) -> str:
    """In words, the first layer whose output, else whose gradient, is not finite when the step is played once more.

    Called when the game is over: no optimizer moves a weight any more, so the weights are those that made it, but the
    rest of the game is not kept as it is. Every process calls it, as each step needs them all.
    """
    game, steps = session.game, session.progress.steps
    before = steps - game.steps  # of weights that the run was set back from
    for step in sorted({min(before + int(game.optimizers["generator"].turns), steps - 1), steps - 1}):
        seen = _play_again(session, step)
        if session.runtime.any(bool(seen)):
            return seen or "another process saw it first"
    return "that step, played once more, stayed finite, so that the layer is not known"


def _play_again(session: Session, step: int) -> str:
    """One step, with the randomness and about the images that it had; every penalty takes part."""
    game, config, runtime = session.game, session.config, session.runtime
    position = session.progress.images * step // session.progress.steps // config.batch * config.batch
    next_latent = session.seeded(step)
    game.d_turns = 0  # at which every lazy penalty is due
    with closing(
        Batches(
            session.dataset,
            batch=config.batch,
            seed=derive(config.seed, "order"),
            start_images=position,
            rank=runtime.rank,
            world=runtime.world,
            device=runtime.device,
            mirror=config.data.mirror,
        )
    ) as batches:
        images, labels = next(batches)
    given = session.given(labels)
    with _watching(game) as seen:
        real = game.as_training_images(runtime.to_layout(images))
        fake = game.fakes(next_latent(), *given)
        game.d_step(real, fake, *given)
        seen.loss("discriminator's", game.report["loss_d"] + game.report["penalty"])
        game.g_step(real, fake, *given)
        seen.loss("generator's", game.report["loss_g"] + game.report["generator_terms"])
    return seen.sentence()


@dataclass
class _Seen:
    """What was looked at, in that order, and whether all of it was finite."""

    outputs: list[tuple[str, Tensor]] = field(default_factory=list)
    losses: list[tuple[str, Tensor]] = field(default_factory=list)
    gradients: list[tuple[str, Tensor]] = field(default_factory=list)

    def loss(self, whose: str, value: Tensor) -> None:
        self.losses.append((whose, torch.isfinite(value)))

    def output(self, name: str, made: Any) -> None:
        """Note a layer's output, and its gradient when that comes."""
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, Tensor) and tensor.is_floating_point():
                self.outputs.append((name, torch.isfinite(tensor).all()))
                if tensor.requires_grad:
                    tensor.register_hook(partial(self._gradient, name))

    def _gradient(self, name: str, gradient: Tensor | None) -> None:
        if gradient is not None:  # which a penalty on a gradient leaves of what it does not go through
            self.gradients.append((name, torch.isfinite(gradient).all()))

    def sentence(self) -> str:
        """The first that was not finite; "" if all was."""
        for noted, says in (
            (self.outputs, "the output of {} was the first value that was not finite"),
            (self.losses, "the output of every layer was finite, but the {} loss made of them was not"),
            (self.gradients, "every output and loss was finite, but the gradient at the output of {} was not"),
        ):
            if name := next((name for name, fine in noted if not fine), ""):
                return says.format(name)
        return ""


@contextmanager
def _watching(game: Game) -> Iterator[_Seen]:
    """Look at all that passes through the layers of both players; without torch.compile, which hides them."""
    seen = _Seen()
    handles = []
    whole = game.generator, game.discriminator
    game.generator, game.discriminator = map(eager, whole)
    for player, network in {"generator": game.generator, "discriminator": game.discriminator}.items():
        for name, layer in bare(network).named_modules():
            full = f"{player}.{name}" if name else player

            def look(module: nn.Module, given: Any, made: Any, full: str = full) -> None:
                seen.output(full, made)

            handles.append(layer.register_forward_hook(look))
    try:
        yield seen
    finally:
        game.generator, game.discriminator = whole  # care may go on with them
        for handle in handles:
            handle.remove()
