"""What the columns of other programs' logs are called, and what they are called here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from steadygan.records import Signals, Tick

PLACES = ("step", "images", "epoch", "batch")
"""Where in a run a line belongs: updates, images, epochs and updates within one."""

_NO_NUMBERS = {"step", "images", "seconds", "shares", "gradients", "updates", "dead", "colour", "colour_real", "inputs"}
FIELDS = (
    *PLACES,
    *(name for name in Tick.model_fields if name not in _NO_NUMBERS),
    *(f"signals.{name}" for name in Signals.model_fields if name not in _NO_NUMBERS),
)
"""What a column can be said to be; "scores.NAME" of any metric, too."""


@dataclass(frozen=True)
class Quantity:
    """What a column holds: `field` is `scale` times it plus `offset`. Of several the least `far` name is believed."""

    field: str
    scale: float = 1.0
    offset: float = 0.0
    far: int = 0


_SPELLINGS = {
    "d": "d dis disc discr discriminator critic netd dnet",
    "g": "g gen generator netg gnet",
    "loss": "loss losses err errs error cost objective",
    "real": "real reals true",
    "fake": "fake fakes generated synthetic",
    "acc": "acc accuracy accuracies",
    "score": "score scores logit logits output outputs out pred preds prediction prob probs probability validity",
    "sign": "sign signs",
    "grad": "grad grads gradient gradients",
    "norm": "norm norms gradnorm",
    "penalty": "penalty reg gp r1",
    "lr": "lr rate",
    "step": "step steps itr iter iters iteration iterations it",
    "batch": "batch batches minibatch",
    "epoch": "epoch epochs ep",
    "images": "images nimg imgs",
}
_MEANT = {word: meant for meant, words in _SPELLINGS.items() for word in words.split()}
_GLUED = "|".join(sorted((word for word in _MEANT if word not in ("it", "ep", "out")), key=len, reverse=True))
_IS_GLUED, _PART = re.compile(f"(?:{_GLUED})+"), re.compile(_GLUED)
_NEUTRAL = (
    "train training avg average mean running total adv gan adversarial main global cur current n idx i value is "
    "results progress resources learning smoothed full clean done net network model"
)
_EMPTY = set(_NEUTRAL.split())
"""Words that change nothing about what a number is."""
_OF_SEVERAL = {"a", "b", "1", "2"}
"""Of which of two games, as in a CycleGAN's D_A and G_B."""

_KNOWN = {
    "loss_d": ("d loss", "d"),
    "loss_g": ("g loss", "g"),
    "loss_d_real": ("d loss real", "loss real"),
    "loss_d_fake": ("d loss fake", "loss fake"),
    "d_real": ("d x", "d real", "d real score", "real score", "loss real score"),
    "d_fake": ("d g z", "d g z1", "d fake", "d fake score", "fake score", "loss fake score"),
    "accuracy": ("d acc", "acc"),
    "accuracy_real": ("d acc real", "acc real"),
    "accuracy_fake": ("d acc fake", "acc fake"),
    "penalty": ("penalty", "d penalty", "loss penalty", "d loss penalty", "grad penalty", "d grad penalty"),
    "grad_norm_d": ("d grad norm", "d grad", "d norm"),
    "grad_norm_g": ("g grad norm", "g grad", "g norm"),
    "lr_d": ("d lr",),
    "lr_g": ("g lr",),
    "signals.augment": ("ada p", "augment", "augment p", "aug p"),
    "step": ("step",),
    "batch": ("batch",),
    "epoch": ("epoch",),
    "images": ("images", "img"),
}
_TABLE = {
    **{frozenset(words.split()): Quantity(field) for field, names in _KNOWN.items() for words in names},
    frozenset({"kimg"}): Quantity("images", 1000.0),
    frozenset({"loss", "sign", "real"}): Quantity("accuracy_real", 0.5, 0.5),
    frozenset({"loss", "sign", "fake"}): Quantity("accuracy_fake", -0.5, 0.5),
    frozenset({"cpu", "mem", "gb"}): Quantity("memory_mb", 1024.0),
    frozenset({"inception", "score"}): Quantity("scores.is"),
}
_METRIC = re.compile(r"(fid|kid|is)(?:\d+k?)?")


@lru_cache(maxsize=4096)
def recognise(name: str) -> Quantity | None:
    """What a column of this name holds; None if that is not known.

    The order of words, their case and what stands between them do not matter: Loss_D, d_loss, errD, "D loss" and
    discriminator/loss are one.
    """
    if name in FIELDS:
        return Quantity(name)
    words = _words(name.rsplit(" - ", 1)[-1])  # in an export of Weights & Biases the run's name stands before it
    metrics = [found[1] for word in words if (found := _METRIC.fullmatch(word))]
    if (metrics and metrics != ["is"]) or name == "IS":
        rest = {word for word in words if not _METRIC.fullmatch(word)} - _EMPTY - {"score"}
        return None if rest else Quantity(f"scores.{metrics[0]}")
    for far, empty in enumerate((set[str](), _EMPTY, _EMPTY | {"epoch", "step", "batch"}, _EMPTY | _OF_SEVERAL)):
        if known := _TABLE.get(frozenset(words) - empty):
            alone = 3 * (words in (["d"], ["g"]))
            return Quantity(known.field, known.scale, known.offset, far + alone)
    return None


def _words(name: str) -> list[str]:
    """The words of a name as they are meant: `lossD`, `D_loss` and `dloss` have the same."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    found: list[str] = []
    for word in re.findall(r"[a-z0-9]+", parted.lower()):
        found += _PART.findall(word) if word not in _MEANT and _IS_GLUED.fullmatch(word) else [word]
    return [_MEANT.get(word, word) for word in found]
