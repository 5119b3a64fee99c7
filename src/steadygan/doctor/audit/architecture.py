"""Mistakes in the layers of the two networks."""

from __future__ import annotations

from steadygan.doctor.audit.anatomy import Anatomy
from steadygan.doctor.audit.plan import AuditRule, RunPlan, always

_DCGAN = "Radford et al. (2016), section 3"
_BEST = {"tanh", "hardtanh"}
_BATCHWISE = {"batch_norm", "instance_norm"}
_SATURATING = {"tanh", "sigmoid", "softsign", "hardtanh", "hardsigmoid"}


def _pooling(plan: RunPlan, residual: bool) -> str | None:
    found = [
        f"{layer} in the {name}"
        for name, network in plan.networks
        for layer in network.of("pooling")
        if (layer.what.startswith("avg") and network.residual) == residual
    ]
    return f"maps are made smaller by {', '.join(found[:3])}, not by convolutions of stride 2" if found else None


def _no_tanh(plan: RunPlan) -> str | None:
    network = plan.generator
    if not network or not plan.draws or network.ending() in _BEST:
        return None
    if network.ending() == "sigmoid" and network.low < 0:  # brought to -1..1 behind it
        return None
    return f"the generator ends in {network.ending() or 'no activation'}; {_spread(network)}"


def _spread(network: Anatomy) -> str:
    return f"its first pictures lie in {network.low:.2g} to {network.high:.2g}, reals in -1 to 1"


def _another_range(plan: RunPlan) -> str | None:
    network = plan.generator
    if not network or not plan.draws or network.ending() not in _BEST:
        return None
    if network.low < 0 < network.high and max(-network.low, network.high) <= 1.01:
        return None
    return f"behind its tanh the generator changes the range: {_spread(network)}"


def _norm_last(plan: RunPlan) -> str | None:
    norms = [layer for layer in (plan.generator.after_last() if plan.generator else ()) if layer.kind == "norm"]
    return f"{norms[0]} stands behind the generator's last layer with weights" if norms else None


def _norm_first(plan: RunPlan) -> str | None:
    before = plan.discriminator.until_second() if plan.discriminator else ()
    norms = [layer for layer in before if layer.what in _BATCHWISE]
    return f"{norms[0]} stands before the discriminator's second layer with weights" if norms else None


def _relu(plan: RunPlan, modern: bool) -> str | None:
    network = plan.discriminator
    if not network or not plan.draws or (plan.bounded or network.residual) != modern:
        return None
    hidden = network.hidden()
    dead = [str(layer) for layer in hidden if layer.slope == 0]
    return f"{len(dead)} of {len(hidden)} activations of the discriminator are 0 below 0: {dead[0]}" if dead else None


def _saturating(name: str, network: Anatomy) -> str | None:
    hidden = network.hidden()
    flat = [str(layer) for layer in hidden if layer.what in _SATURATING]
    if not flat or len(flat) < len(hidden) / 2:
        return None
    return f"{len(flat)} of the {len(hidden)} inner activations of the {name} are flat on both sides: {flat[0]}"


def _few_filters(plan: RunPlan) -> str | None:
    def narrow(name: str, network: Anatomy) -> str | None:
        maps = network.of("convolution", "transposed")
        beside = [layer.outside if name == "discriminator" else layer.inside for layer in maps]
        nearest = beside[0 if name == "discriminator" else -1] if maps else 0
        if not maps or (max(beside) >= 32 and nearest >= 8):
            return None
        near = f"{nearest} channels next to pictures of {plan.side} pixels"
        return f"the {name} has {near} and {max(beside)} at most; the DCGAN has 64 and 512"

    return plan.each(narrow) if plan.side >= 32 else None


def _asymmetric(plan: RunPlan) -> str | None:
    if not plan.pair:
        return None
    generator, discriminator = (_depth(network) for network in plan.pair)
    if max(generator, discriminator) <= 2 * min(generator, discriminator):
        return None
    return f"the generator has {generator} layers that look further than a pixel, the discriminator {discriminator}"


def _depth(network: Anatomy) -> int:
    """Layers that look further than a pixel; beside convolutions dense ones, of which styles are made, are one."""
    maps, dense = (sum(it.kernel > 1 for it in network.weighted), len(network.of("dense")))
    return maps + min(dense, 1) if maps else dense


def _lopsided(plan: RunPlan) -> str | None:
    if not plan.pair:
        return None
    maps = [sum(it.weights for it in network.weighted[1:] if it.kind != "dense") for network in plan.pair]
    whole = [network.parameters for network in plan.pair]
    inner = max(maps) > 6 * min(maps) > 0  # what turns latents into maps weighs much and says little
    if not inner and max(whole) <= (40 if min(maps) else 6) * min(whole):
        return None
    (generator, discriminator), what = (maps, "weights between maps") if inner else (whole, "parameters that learn")
    ratio = max(generator, discriminator) / max(1, min(generator, discriminator))
    return f"the generator has {generator:,} {what}, the discriminator {discriminator:,}: {ratio:.3g} to 1"


def _layout(plan: RunPlan) -> str | None:
    shape = plan.generator.output if plan.generator else ()
    if len(shape) != 3 or shape[2] not in (1, 3, 4) or shape[0] <= 4:
        return None
    return f"the generator makes pictures of the form {shape}: channels last; torch has them first"


def _checkerboard(plan: RunPlan) -> str | None:
    layers = plan.generator.weighted if plan.generator else ()
    uneven = [place for place, layer in enumerate(layers) if layer.kind == "transposed" and layer.kernel % layer.stride]
    if not uneven or any(layer.kernel > 1 for layer in layers[uneven[-1] + 1 :]):
        return None
    layer = layers[uneven[-1]]
    return (
        f"{layer} ends the generator with a kernel of {layer.kernel} at stride {layer.stride}, which does not divide it"
    )


def _constant(plan: RunPlan) -> str | None:
    network = plan.generator
    if not network or network.high - network.low > 1e-6:
        return None
    return f"every value of the generator's first pictures is {network.low:.3g}"


def _dense(plan: RunPlan) -> str | None:
    def flat(name: str, network: Anatomy) -> str | None:
        dense = all(layer.kind == "dense" for layer in network.weighted)
        return f"the {name} has no convolution, for pictures of {plan.side} pixels" if dense else None

    return plan.each(flat) if plan.side > 32 else None


def _small_latent(plan: RunPlan) -> str | None:
    shape = plan.generator.input if plan.generator and plan.draws else ()
    if not shape or max(shape) >= 8:
        return None
    return f"the generator is given {max(shape)} numbers a picture; 64 to 512 are usual"


def _sigmoid(plan: RunPlan, known: bool) -> str | None:
    if not plan.discriminator or bool(plan.loss) != known or plan.discriminator.ending() != "sigmoid":
        return None
    return "the discriminator ends in a sigmoid" + (f", but {plan.loss} takes its logits" if known else "")


RULES = (
    AuditRule(
        "pooling", "warning", "Pooling in place of strides", "Layers taken over from a classifier.",
        lambda plan: _pooling(plan, residual=False),
        always(
            "replace each pooling by a stride of 2 in the convolution before it: the network learns how to reduce",
            "--set networks.downsampling=strided (where the networks are ours)",
        ),
        f"{_DCGAN}; Fake satellite images, mistake 21",
    ),
    AuditRule(
        "average-pooling", "info", "Mean of pixels in residual blocks", "A residual design.",
        lambda plan: _pooling(plan, residual=True), always("nothing: residual networks rightly do so"),
        "Miyato et al. (2018), appendix B.4", "The advice against pooling is for plain stacks of convolutions.",
    ),
    AuditRule(
        "no-tanh", "warning", "No tanh at the generator's end", "The range of the reals was not thought of.", _no_tanh,
        always("end the generator in torch.tanh, and bring the reals to -1..1"),
        f"{_DCGAN}; Fake satellite images, mistake 17", "Modern networks without batch norm learn the range instead.",
    ),
    AuditRule(
        "another-range", "serious", "Fakes in another range than the reals", "Fakes are scaled, reals otherwise.",
        _another_range, always("leave what tanh gives as it is: reals are in -1..1 here"),
        "Fake satellite images, mistakes 29 and 35",
    ),
    AuditRule(
        "norm-in-generators-last-layer", "warning", "A norm behind the generator's last layer",
        "The same block was repeated to the end.", _norm_last,
        always("take the norm away there: it forces one mean and one contrast upon all pictures of a batch"),
        f"{_DCGAN}; Fake satellite images, mistake 26",
    ),
    AuditRule(
        "norm-in-discriminators-first-layer", "warning", "A norm in the discriminator's first layer",
        "The same block was repeated from the start.", _norm_first,
        always("take the norm away there: it hides brightness and contrast, in which reals and fakes differ"),
        f"{_DCGAN}; Fake satellite images, mistake 26",
    ),
    AuditRule(
        "no-leaky-relu", "warning", "ReLU in the discriminator", "The generator's activation was taken for both.",
        lambda plan: _relu(plan, modern=False),
        always(
            "take nn.LeakyReLU(0.2) in the discriminator, so that gradients reach the generator everywhere",
            "--set networks.discriminator_activation=leaky_relu (where the networks are ours)",
        ),
        f"{_DCGAN}; Fake satellite images, mistake 22",
    ),
    AuditRule(
        "relu-in-bounded-discriminator", "info", "ReLU in a residual or bounded discriminator",
        "A design such as SNGAN.",
        lambda plan: _relu(plan, modern=True), always("nothing, unless units die: then leaky ReLU"),
        "Miyato et al. (2018), appendix B.4", "Shortcuts and bounded slopes carry the gradient where ReLU is 0.",
    ),
    AuditRule(
        "saturating-activations", "warning", "Inner activations that saturate", "tanh or sigmoid between the layers.",
        lambda plan: plan.each(_saturating),
        always("take ReLU in the generator and leaky ReLU in the discriminator: no gradient fades there"),
        _DCGAN,
    ),
    AuditRule(
        "few-filters", "warning", "Too few filters", "A network made small to be fast.", _few_filters,
        always("give the layers next to the image 32 to 64 channels, twice as many with each halving of the side"),
        "Fake satellite images, mistake 20", "Capacity cures no collapse: for that see the losses first.",
    ),
    AuditRule(
        "asymmetric-depth", "warning", "One player much deeper", "The two were not designed together.", _asymmetric,
        always("let the two mirror each other: a layer of the one for each of the other"),
        "Fake satellite images, mistake 16",
    ),
    AuditRule(
        "lopsided-parameters", "warning", "One player far larger", "The two were not designed together.", _lopsided,
        always("bring the smaller one nearer to the other's parameters, by its width: a third of them is near enough"),
        "Fake satellite images, mistakes 16 and 37",
    ),
    AuditRule(
        "channels-last", "serious", "Channels in the wrong place", "Code from a framework with channels last.", _layout,
        always("permute the pictures to (N, C, H, W) at the end of the generator"),
        "Fake satellite images, mistake 11",
    ),
    AuditRule(
        "uneven-kernels", "warning", "Kernels that leave a checkerboard", "A stride that does not divide the kernel.",
        _checkerboard,
        always(
            "take kernels of 4 at stride 2, or nn.Upsample and a convolution",
            "or close with a convolution of stride 1 before the tanh: --set networks.closing_layers=1",
        ),
        "Odena et al. (2016), doi:10.23915/distill.00003; Fake satellite images, mistake 27",
    ),
    AuditRule(
        "constant-output", "serious", "The generator starts with one picture", "Weights of 0, or a dead layer.",
        _constant,
        always("initialise the weights at random, and look for a layer that gives 0 to everything"),
        "Glorot and Bengio (2010)",
    ),
    AuditRule(
        "no-convolution", "warning", "Dense layers for large pictures", "A network for MNIST taken further.", _dense,
        always("start from a standard network: --recipe dcgan, or sg.DCGAN().build(sg.ImageSpec(size=64, channels=3))"),
        "Fake satellite images, mistake 1",
    ),
    AuditRule(
        "small-latent", "warning", "Few latent numbers", "A choice for a toy.", _small_latent,
        always("give the generator 100 numbers"), "Eleven hacks for stable GANs, hack 8",
    ),
    AuditRule(
        "sigmoid-with-logits", "warning", "A sigmoid left at the discriminator's end", "A loss that takes logits now.",
        lambda plan: _sigmoid(plan, known=True),
        always("take the sigmoid away: the loss has its own, and two of them leave hardly a gradient"),
        "Goodfellow et al. (2014), section 3",
    ),
    AuditRule(
        "sigmoid-output", "info", "The discriminator gives probabilities", "A loss that takes them.",
        lambda plan: _sigmoid(plan, known=False),
        always("take nn.BCELoss with it, never one with logits, or leave it out, as steadygan's losses want"),
        "Goodfellow et al. (2014), section 3",
    ),
)  # fmt: skip
