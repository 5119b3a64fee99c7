"""The game of two players: the algorithm box of Goodfellow et al. (2014), with seven seams.

This file knows no configuration, no files and no devices. Give it two networks and it plays:

    game = Game(my_generator, my_discriminator, loss=Hinge(), penalties=[R1(gamma=5)])
    for real in batches:
        fake = game.fakes(torch.randn(len(real), 100))
        game.d_step(real, fake)
        game.g_step(real, fake)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from steadygan.objectives.losses import Loss, NonSaturating
from steadygan.objectives.penalties import Penalty
from steadygan.objectives.terms import GeneratorTerm
from steadygan.objectives.view import View
from steadygan.training.optim import Adam, Descent, OptimizerSettings
from steadygan.training.seams import Fixed, Itself, Opponent, Turns

_REPORTED = (
    *("loss_d", "penalty", "grad_norm_d", "d_real", "d_fake", "accuracy_real", "accuracy_fake"),
    *("loss_g", "generator_terms", "grad_norm_g"),
)


def bare(network: nn.Module) -> nn.Module:
    """The network itself, without the wrappers of torch.compile and of data parallel training."""
    network = eager(network)
    return network.module if isinstance(network, DistributedDataParallel) else network


def eager(network: nn.Module) -> nn.Module:
    """The network without torch.compile, which cannot differentiate a gradient."""
    return getattr(network, "_orig_mod", network)


@dataclass
class Game:
    """Two networks and the rules by which they train each other.

    `generator(latent)` makes images (N, C, H, W), `discriminator(images)` logits (N,), both float32.
    Every rule has its off value as default. Images pass real first, then fake.

    `report` holds what the last turns measured: detached tensors, losses as they were before the update.
    Reading them waits for the device, so that is left to whoever wants to know.
    """

    generator: nn.Module
    discriminator: nn.Module
    loss: Loss = field(default_factory=NonSaturating)
    penalties: Sequence[Penalty] = ()
    generator_terms: Sequence[GeneratorTerm] = ()
    show: nn.Module = field(default_factory=nn.Identity)
    replay: nn.Module = field(default_factory=nn.Identity)
    opponent: Opponent = field(default_factory=Itself)
    turns: Turns = field(default_factory=Fixed)
    generator_optimizer: OptimizerSettings = field(default_factory=Adam)
    discriminator_optimizer: OptimizerSettings = field(default_factory=Adam)

    def __post_init__(self) -> None:
        self.steps = 0
        self.d_turns = 0
        self.healthy = torch.ones((), device=next(self.generator.parameters()).device)
        self.report = {name: torch.zeros_like(self.healthy) for name in _REPORTED}
        self.descend_g = Descent(self.generator, self.generator_optimizer, self.healthy)
        self.descend_d = Descent(self.discriminator, self.discriminator_optimizer, self.healthy)

    def step(self, next_real: Callable[[], Tensor], next_latent: Callable[[], Tensor]) -> int:
        """One round of turns; returns how many images the discriminator was shown as real.

        The generator's first turn plays on with the fakes of the discriminator's last turn, which saves making
        them twice, and with its reals; every other turn gets new ones. Both arguments are called for (N, ...) batches.
        """
        moves = self.turns.moves(self.steps)
        images = 0
        for index, player in enumerate(moves):
            if player == "discriminator":
                real = next_real()
                images += len(real)
                fake = self.fakes(next_latent(), playable=moves[index + 1 : index + 2] == ("generator",))
                self.d_step(real, fake)
            else:
                self.g_step(real, fake if fake.requires_grad else self.fakes(next_latent()))
                fake = fake.detach()
        self.steps += 1
        return images

    def fakes(self, latent: Tensor, playable: bool = True) -> Tensor:
        """Images G(z) from latents (N, latent_dim); `playable` ones can be used in the generator's turn."""
        with torch.set_grad_enabled(playable):
            return self.generator(latent)

    def d_step(self, real: Tensor, fake: Tensor) -> None:
        """The discriminator learns to tell reals from fakes. Goodfellow et al. (2014), Algorithm 1, inner loop."""
        due = [penalty for penalty in self.penalties if self.d_turns % penalty.every == 0]
        real, fake = self.show(real), self.show(self.replay(fake.detach()))
        view = self._view(real, fake, differentiable=bool(due))

        loss = self.loss.d_loss(view)
        penalty = sum((p.every * p(view) for p in due), start=torch.zeros_like(loss))
        norm = self.descend_d(loss + penalty)

        self.d_turns += 1
        self._note(loss_d=loss, penalty=penalty, grad_norm_d=norm, **_opinions(view))

    def g_step(self, real: Tensor, fake: Tensor) -> None:
        """The generator learns to be taken for real. Goodfellow et al. (2014), Algorithm 1, last lines."""
        with self.opponent.against(bare(self.discriminator), real, fake) as discriminator:
            view = View(discriminator, self.show(real), self.show(fake))

            loss = self.loss.g_loss(view)
            terms = sum((term(view) for term in self.generator_terms), start=torch.zeros_like(loss))
            norm = self.descend_g(loss + terms)

        self._note(loss_g=loss, generator_terms=terms, grad_norm_g=norm)

    def _view(self, real: Tensor, fake: Tensor, differentiable: bool) -> View:
        """The discriminator's view; a differentiable one carries gradients to its images, twice if need be."""
        if not differentiable:
            return View(self.discriminator, real, fake)
        return View(eager(self.discriminator), real.detach().requires_grad_(), fake.detach().requires_grad_())

    def _note(self, **measured: Tensor) -> None:
        self.report.update({name: value.detach() for name, value in measured.items()})

    def state_dict(self) -> dict[str, Any]:
        """All that must survive a restart, but the networks: counters, optimizers and the parts with memory."""
        return {
            "steps": self.steps,
            "d_turns": self.d_turns,
            "good_turns": [self.descend_d.turns, self.descend_g.turns],
            "generator_optimizer": self.descend_g.optimizer.state_dict(),
            "discriminator_optimizer": self.descend_d.optimizer.state_dict(),
            "show": self.show.state_dict(),
            "replay": self.replay.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave; the networks are restored by whoever owns them."""
        self.steps, self.d_turns = state["steps"], state["d_turns"]
        self.healthy.fill_(1)
        for descent, turns in zip((self.descend_d, self.descend_g), state["good_turns"], strict=True):
            descent.turns.copy_(turns)
        self.descend_g.load_state_dict(state["generator_optimizer"])
        self.descend_d.load_state_dict(state["discriminator_optimizer"])
        self.show.load_state_dict(state["show"])
        self.replay.load_state_dict(state["replay"])


def _opinions(view: View) -> dict[str, Tensor]:
    """Mean logits and the shares judged rightly, of reals and of fakes."""
    real, fake = view.real_logits.detach(), view.fake_logits.detach()
    return {
        "d_real": real.mean(),
        "d_fake": fake.mean(),
        "accuracy_real": (real > 0).float().mean(),
        "accuracy_fake": (fake < 0).float().mean(),
    }
