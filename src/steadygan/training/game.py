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
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from steadygan.errors import ConfigError
from steadygan.objectives.base import GeneratorTerm, Penalty
from steadygan.objectives.losses import Loss, NonSaturating, Separable, SeparableLoss, boundary_among
from steadygan.objectives.view import View
from steadygan.part import lacks
from steadygan.training.opponent import Itself
from steadygan.training.optim import Adam, OptimizerSettings, PlayerOptimizer
from steadygan.training.seams import Changes, Move, Opponent, Remembers, Report, Turns, Watches
from steadygan.training.turns import Fixed

__all__ = ["Game"]

_REPORTED = (
    *("loss_d", "penalty", "grad_norm_d", "d_real", "d_fake", "accuracy_real", "accuracy_fake"),
    *("loss_g", "generator_terms", "grad_norm_g", "path"),
)
_SIDES: dict[Move, tuple[str, ...]] = {  # what each of the discriminator's moves learns from
    "discriminator": ("real", "fake"),
    "discriminator_real": ("real",),
    "discriminator_fake": ("fake",),
}
_RULES: dict[str, tuple[type[Any], ...]] = {  # what the rules of a game must be
    "loss": (Loss,),
    "penalties": (Penalty, Remembers),
    "generator_terms": (GeneratorTerm, Remembers),
    **dict.fromkeys(("show", "replay"), (Changes,)),
    "opponent": (Opponent,),
    "turns": (Turns,),
    **dict.fromkeys(("generator_optimizer", "discriminator_optimizer"), (OptimizerSettings,)),
}


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

    `generator(latent, *given)` makes images (N, C, H, W), `discriminator(images, *given)` logits (N,), both float32.
    `given` is what both are told besides, such as labels (N,), the same for a real and a fake of one place in the
    batch; nothing by default. Every rule has its off value as default. Images pass real first, then fake.

    `images` counts real images shown to the discriminator by all `processes`; schedules follow it. `report` holds what
    the last turns measured: detached tensors, losses as they were before the update, each penalty and term by name
    (after `step` the penalties' means over its turns, for a lazy one is not due in each); the two halves of `loss_d`
    where the loss has them, and as `path` whether the discriminator last moved on them apart.
    Reading them waits for the device, so that is left to whoever wants to know.
    """

    generator: nn.Module
    discriminator: nn.Module
    loss: Loss = field(default_factory=NonSaturating)
    penalties: Sequence[Penalty | Remembers] = ()
    generator_terms: Sequence[GeneratorTerm | Remembers] = ()
    show: nn.Module = field(default_factory=nn.Identity)
    replay: nn.Module = field(default_factory=nn.Identity)
    opponent: Opponent = field(default_factory=Itself)
    turns: Turns = field(default_factory=Fixed)
    generator_optimizer: OptimizerSettings = field(default_factory=Adam)
    discriminator_optimizer: OptimizerSettings = field(default_factory=Adam)
    view: type[View] = View
    processes: int = 1

    def __post_init__(self) -> None:
        _refuse_unfit(self)
        self.steps = self.d_turns = self.images = 0
        self.healthy = torch.ones((), device=next(self.generator.parameters()).device)
        players = dict.fromkeys(_SIDES, self.discriminator) | {"generator": self.generator}
        optimizers = dict.fromkeys(_SIDES, self.discriminator_optimizer) | {"generator": self.generator_optimizer}
        shared: dict[Move, Move] = {}
        if not getattr(self.turns, "own_states", True):
            shared = dict.fromkeys(_SIDES, "discriminator")
        self._state_of: dict[Move, Move] = {move: shared.get(move, move) for move in get_args(Move)}
        # an optimizer takes no memory before its first turn, so there is one for each move that may come
        states = dict.fromkeys(self._state_of.values())
        self.optimizers = {state: PlayerOptimizer(players[state], optimizers[state], self.healthy) for state in states}
        self._past = dict.fromkeys(_SIDES, self.replay) | {"discriminator_real": nn.Identity()}
        self._penalties = [_Term(name, p, _ready(p, self.discriminator)) for name, p in _named(self.penalties)]
        self._terms = [_Term(name, t, _ready(t, self.generator)) for name, t in _named(self.generator_terms)]
        self._latent = torch.empty(0)
        self._losses = _d_losses(self.loss)
        names = (*_REPORTED, *self._losses["discriminator"], *(f"penalty.{p.name}" for p in self._penalties))
        names += tuple(f"term.{term.name}" for term in self._terms)
        self.report = {name: torch.zeros_like(self.healthy) for name in names}

    def step(self, next_real: Callable[[], tuple[Tensor, ...]], next_latent: Callable[[], Tensor]) -> int:
        """One round of turns; returns how many images the discriminators of all processes were shown as real.

        `next_real()` gives (N, C, H, W) and what is given with it, `next_latent()` latents (N, D). The generator's
        first turn plays on with the fakes of the discriminator's last turn, which saves making them twice, and with
        its reals; so does a discriminator that learns from the two apart. Every other turn gets new ones.
        """
        before, paid, dealt = self.images, [], list[_Deal]()

        def deal(playable: bool = True) -> _Deal:
            real, *given = next_real()
            fake = self.fakes(next_latent(), *given, playable=playable)
            return _Deal(self.as_training_images(real), fake, tuple(given))

        def look() -> Report:
            dealt.append(dealt.pop() if dealt else deal())
            return self._judged(dealt[0])

        moves = self.turns.moves(self.steps, self.report, look)
        for place, move in enumerate(moves):
            if move in ("discriminator", "discriminator_real"):
                following = (other for other in moves[place + 1 :] if other != "discriminator_fake")
                real, fake, given = dealt.pop() if dealt else deal(playable=next(following, None) == "generator")
            if move == "generator":
                self.g_step(real, fake if fake.requires_grad else self.fakes(next_latent(), *given), *given)
                fake = fake.detach()
            else:
                self.d_step(real, fake, *given, move=move)
                paid.append({name: value for name, value in self.report.items() if name.startswith("penalty")})
        self.report |= {name: torch.stack([costs[name] for costs in paid]).mean() for name in paid[0]}
        self.report["path"] = torch.full_like(self.healthy, "discriminator_real" in moves)
        self.steps += 1
        return self.images - before

    def as_training_images(self, real: Tensor) -> Tensor:
        """Reals in the form of the generator's own images: only a multi-scale pair wants another."""
        bring: Callable[[Tensor], Tensor] = getattr(bare(self.generator), "as_training_images", _unchanged)
        return bring(real)

    def fakes(self, latent: Tensor, *given: Tensor, playable: bool = True) -> Tensor:
        """Images G(z) from latents (N, latent_dim); `playable` ones can be used in the generator's next turn."""
        self._latent = latent
        with torch.set_grad_enabled(playable):
            return self.generator(latent, *given)

    def d_step(self, real: Tensor, fake: Tensor, *given: Tensor, move: Move = "discriminator") -> None:
        """The discriminator learns to tell reals from fakes. Goodfellow et al. (2014), Algorithm 1, inner loop."""
        due, sides = [p for p in self._penalties if self.d_turns % p.settings.every == 0], _SIDES[move]
        real, fake = self.show(real), self.show(self._past[move](fake.detach()))
        view = self._d_view(real, fake, given, any(penalty.differentiates for penalty in due))

        losses = {name: formula(view) for name, formula in self._losses[move].items()}
        loss = sum(losses.values(), start=torch.zeros_like(self.healthy))
        costs = {f"penalty.{p.name}": torch.zeros_like(loss) for p in self._penalties}
        costs |= {f"penalty.{p.name}": p.settings.every * p.formula(view) for p in due}
        penalty = sum(costs.values(), start=torch.zeros_like(loss))
        norm = self.optimizers[self._state_of[move]](loss + penalty, self.images)

        self.d_turns += 1
        self.images += len(real) * self.processes * ("real" in sides)
        _notify_watchers(view, *[self.show][: "real" in sides], self.replay, *(p.formula for p in self._penalties))
        self._note(penalty=penalty, grad_norm_d=norm, **losses, **costs, **self._opinions(view, sides))
        self._note(loss_d=torch.stack([self.report[name] for name in self._losses["discriminator"]]).sum())

    def g_step(self, real: Tensor, fake: Tensor, *given: Tensor) -> None:
        """The generator learns to be taken for real. Goodfellow et al. (2014), Algorithm 1, last lines."""
        judge, player = bare(self.discriminator), bare(self.generator)
        view = self.view(judge, self.show(real), self.show(fake), given, self._latent, fake, player, self.images)

        with self.opponent.against(self.loss, view) as ahead:
            seen = ahead.for_generator()
            loss = self.loss.g_loss(seen)
            costs = {f"term.{term.name}": term.formula(seen) for term in self._terms}
            terms = sum(costs.values(), start=torch.zeros_like(loss))
            norm = self.optimizers["generator"](loss + terms, self.images)

        _notify_watchers(view, *(term.formula for term in self._terms))
        self._note(loss_g=loss, generator_terms=terms, grad_norm_g=norm, **costs)

    def _d_view(self, real: Tensor, fake: Tensor, given: tuple[Tensor, ...], differentiable: bool) -> View:
        """The discriminator's view; a differentiable one carries gradients to its images, twice if need be."""
        network = self.discriminator
        if differentiable:
            network, real, fake = eager(network), real.detach().requires_grad_(), fake.detach().requires_grad_()
        return self.view(network, real, fake, given, player=bare(self.discriminator), images=self.images)

    @torch.no_grad()
    def _opinions(self, view: View, sides: tuple[str, ...]) -> dict[str, Tensor]:
        """Mean logits and the shares judged rightly, of reals and of fakes: beyond the boundary on their own side."""
        logits = {side: view.real_logits if side == "real" else view.fake_logits for side in sides}
        opinions = {f"d_{side}": these.mean() for side, these in logits.items()}
        means = self.report | opinions
        boundary = boundary_among(self.loss, means["d_real"], means["d_fake"])
        for side, these in logits.items():
            right = these > boundary if side == "real" else these < boundary
            opinions[f"accuracy_{side}"] = right.float().mean()
        return opinions

    @torch.no_grad()
    def _judged(self, deal: _Deal) -> dict[str, Tensor]:
        """What the discriminator says of a batch before anybody moves."""
        real, fake = self.show(deal.real), self.show(deal.fake)
        return self._opinions(self._d_view(real, fake, deal.given, differentiable=False), _SIDES["discriminator"])

    def _note(self, **measured: Tensor) -> None:
        self.report.update({name: value.detach() for name, value in measured.items()})

    def state_dict(self) -> dict[str, Any]:
        """All that must survive a restart, but the networks: counters, optimizers and the parts with memory."""
        return {
            "steps": self.steps,
            "d_turns": self.d_turns,
            "images": self.images,
            "report": dict(self.report),
            "descents": {move: optimizer.state_dict() for move, optimizer in self.optimizers.items()},
            "memories": {name: memory.state_dict() for name, memory in self._memories().items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave, perhaps under other rules: what is of none that are now is passed over, and
        what is new begins anew. The networks are restored by whoever owns them.
        """
        self.steps, self.d_turns, self.images = state["steps"], state["d_turns"], state["images"]
        self.healthy.fill_(1)
        self.report |= {n: value.to(self.healthy.device) for n, value in state["report"].items() if n in self.report}
        for move in self.optimizers.keys() & state["descents"].keys():
            self.optimizers[move].load_state_dict(state["descents"][move])
        memories, saved = self._memories(), state["memories"]
        if isinstance(saved, list):  # of older runs, in this order
            saved = dict(zip(memories, saved, strict=True))
        for name in memories.keys() & saved.keys():
            if memories[name].state_dict().keys() == saved[name].keys():
                memories[name].load_state_dict(saved[name])

    def _memories(self) -> dict[str, nn.Module]:
        """The parts that remember something, by name, in an order that never changes."""
        parts: dict[str, Any] = {"show": self.show, "replay": self.replay}
        parts |= {f"penalty.{one.name}": one.formula for one in self._penalties}
        parts |= {f"term.{one.name}": one.formula for one in self._terms}
        return {name: part for name, part in parts.items() if isinstance(part, nn.Module)}


class _Deal(NamedTuple):
    """What a turn is played with: reals and fakes (N, C, H, W), and what both networks are given with them."""

    real: Tensor
    fake: Tensor
    given: tuple[Tensor, ...]


@dataclass(frozen=True)
class _Term:
    """A penalty or a generator's term: its name in the report, its settings, and what is called with a view."""

    name: str
    settings: Any
    formula: Any

    @property
    def differentiates(self) -> bool:
        """Whether it takes gradients with respect to images, for which a compiled network will not do."""
        return getattr(self.settings, "differentiates", True)


def _refuse_unfit(game: Game) -> None:
    """ConfigError names every rule that is none, and the methods it lacks."""
    wrong = []
    for name, kinds in _RULES.items():
        rule, several = getattr(game, name), name in ("penalties", "generator_terms")
        if several and not isinstance(rule, Sequence):
            wrong.append(f"{name}: give a list, as in {name}=[{type(rule).__name__}(...)]")
            continue
        parts = {f"{name}[{place}]": part for place, part in enumerate(rule)} if several else {name: rule}
        wrong += [f"{place}: {lacking}" for place, part in parts.items() if (lacking := lacks(part, *kinds))]
    if wrong:
        raise ConfigError(*wrong)


def _d_losses(loss: Any) -> dict[Move, dict[str, Callable[[View], Tensor]]]:
    """What the discriminator pays in each of its moves, by name: its halves, if they make up the whole."""
    halves = {"real": loss.real_loss, "fake": loss.fake_loss} if isinstance(loss, Separable) else {}
    if getattr(type(loss), "d_loss", None) is SeparableLoss.d_loss:  # a loss may have a whole of its own
        return {move: {f"loss_d_{side}": halves[side] for side in sides} for move, sides in _SIDES.items()}
    apart = {move: {"loss_d": halves[side]} for move, (side, *both) in _SIDES.items() if halves and not both}
    return {"discriminator": {"loss_d": loss.d_loss}, **apart}


def _named(parts: Sequence[Any]) -> list[tuple[str, Any]]:
    """Each part with its kind as a name, numbered where there are several of a kind."""
    kinds = [str(getattr(part, "kind", type(part).__name__)) for part in parts]
    before = [kinds[:index].count(kind) for index, kind in enumerate(kinds)]
    return [
        (f"{kind}-{number + 1}" if number else kind, p) for kind, number, p in zip(kinds, before, parts, strict=True)
    ]


def _ready(part: Any, player: nn.Module) -> Any:
    """What is called with a view: the part itself, or the memory it builds for the player that pays."""
    if not isinstance(part, Remembers):
        return part
    return part.build(bare(player)).to(next(player.parameters()).device)


@torch.no_grad()
def _notify_watchers(view: View, *parts: Any) -> None:
    """Let every part that watches the game see the turn that was played."""
    for part in parts:
        if isinstance(part, Watches):
            part.watch(view)


def _unchanged(real: Tensor) -> Tensor:
    return real
