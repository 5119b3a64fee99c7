"""Mistakes in the weights that a run would start from."""

from __future__ import annotations

import math
from collections.abc import Callable

from steadygan.doctor.audit.anatomy import Anatomy, Layer
from steadygan.doctor.audit.plan import AuditRule, RunPlan, always, listed

_ENOUGH = 128  # weights from which their deviation can be told


def _torch_bound(layer: Layer) -> float:
    """Between minus and plus which torch draws weights and biases by default: 1 / sqrt(fan in), as it counts it."""
    return 1 / math.sqrt(layer.fan_out if layer.kind == "transposed" else layer.fan_in)


def _is_default(layer: Layer) -> bool:
    """Whether a layer is as torch leaves it: uniform weights (He et al. with a = sqrt 5), uniform biases."""
    close = abs(layer.std * math.sqrt(3) / _torch_bound(layer) - 1) < 0.1
    return close and (layer.bias is None or 0 < layer.bias <= 1.001 * _torch_bound(layer))


def _default(network: Anatomy) -> list[Layer]:
    """The layers of a network that is as torch leaves it; none of another."""
    known = [layer for layer in network.weighted if layer.weights >= _ENOUGH]
    return known if all(map(_is_default, known)) else []


def _biases(name: str, network: Anatomy) -> str | None:
    shifted = [it for it in network.weighted if it.bias]
    if not shifted or _default(network):
        return None
    which = listed([str(it) for it in shifted], len(network.weighted))
    return f"{which} of the {name} start with biases up to {max(it.bias or 0 for it in shifted):.3g}"


def _defaults(name: str, network: Anatomy) -> str | None:
    layers = _default(network)
    maps = [layer for layer in network.of("convolution", "transposed") if not layer.spectral]  # those are scaled
    if not layers or len(maps) < 3:
        return None
    layer, bias = layers[len(layers) // 2], ", biases not 0" if any(it.bias for it in layers) else ""
    he = math.sqrt(2 / layer.fan_in)
    return f"the {name} starts as torch leaves it: {layer} has deviation {layer.std:.3g}, He's is {he:.3g}{bias}"


def _limits(layer: Layer) -> tuple[float, float]:
    """Smallest and largest deviation of the known initialisations: N(0, 0.02), Xavier, He, orthogonal, torch's."""
    into, out = layer.fan_in, layer.fan_out
    fans = (into, out) if layer.kind == "transposed" else (into,)
    xavier, he = math.sqrt(2 / (into + out)), math.sqrt(2 / min(fans))
    orthogonal = 1 / math.sqrt(max(layer.outside, layer.weights / max(1, layer.outside)))
    return min(0.02, xavier, orthogonal, _torch_bound(layer) / math.sqrt(3)), max(0.02, he)


def _odd(name: str, network: Anatomy) -> str | None:
    layers = [layer for layer in network.weighted if layer.weights >= _ENOUGH]
    wrong = [layer for layer in layers if not _fits(layer, network.residual)]
    if not wrong:
        return None
    first, (least, largest) = wrong[0], _limits(wrong[0])
    which = f"{listed([str(it) for it in wrong], len(layers))} of the {name}"
    has = f"{first} starts with mean {first.mean:.3g} and deviation {first.std:.3g}"
    return f"{which}: {has}, where the known initialisations have {least:.3g} to {largest:.3g}"


def _fits(layer: Layer, residual: bool) -> bool:
    """Whether its start is a known one; residual blocks may start small, or at 0."""
    least, largest = _limits(layer)
    if abs(layer.mean) > max(0.3, 5 / math.sqrt(layer.weights)) * max(layer.std, 1e-12) and layer.mean != 0:
        return False
    return (layer.spectral and layer.std > 0) or (layer.std < 1.6 * largest and (residual or layer.std > least / 2.5))


def _fresh(judge: Callable[[str, Anatomy], str | None]) -> Callable[[RunPlan], str | None]:
    """What is to be said of weights that were drawn; those that a run takes over were trained."""
    return lambda plan: None if plan.setting("start.source") else plan.each(judge)


RULES = (
    AuditRule(
        "nonzero-biases", "warning", "Biases that do not start at 0", "Biases were drawn or set with the weights.",
        _fresh(_biases),
        always("nn.init.zeros_(layer.bias) for every layer with a bias"), "Fake satellite images, mistake 18",
        "The shift of a norm and the bias behind a class are other matters.",
    ),
    AuditRule(
        "default-initialisation", "warning", "Weights as torch leaves them", "No initialisation was chosen.",
        _fresh(_defaults),
        always(
            "draw the weights from N(0, 0.02) and set biases to 0, as the DCGAN does: net.apply(weights_init)",
            "or nn.init.xavier_uniform_, or without a norm nn.init.kaiming_normal_(weight, a=0.2)",
        ),
        "Radford et al. (2016), section 4; Fake satellite images, mistakes 18 and 19",
        "Behind a batch norm the scale hardly matters, and small dense networks train so as well.",
    ),
    AuditRule(
        "odd-initialisation", "warning", "Weights that start too large, too small or alike",
        "A deviation taken for a variance, or a constant.", _fresh(_odd),
        always("N(0, 0.02), where 0.02 is the standard deviation, or Xavier, He or orthogonal weights"),
        "Glorot and Bengio (2010); He et al. (2015); Fake satellite images, mistake 19",
        "Weights that are scaled at run time, or of a trained network, are another matter.",
    ),
)  # fmt: skip
