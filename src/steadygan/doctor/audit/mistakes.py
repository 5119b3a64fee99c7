"""The 39 mistakes of "Fake satellite images", and what becomes of each here."""

from __future__ import annotations

from typing import NamedTuple


class Mistake(NamedTuple):
    """One of them: rules of the audit and of a run that see it, what rules it out, and what is offered instead.

    What is offered is an option of `steadygan train`, or another command.
    """

    number: int
    what: str
    audit: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    prevented: str = ""
    offered: tuple[str, ...] = ()


_RANGE = "images are bytes on disk and in -1 to 1 from the loader on, for every part"

MISTAKES = (
    Mistake(1, "no standard architecture to start from", ("no-convolution", "few-filters"), offered=("--recipe dcgan",
            "steadygan recipes")),
    Mistake(2, "computing power underestimated",
            prevented="time and memory are estimated from trial steps before a run", offered=("--dry-run",
            "steadygan bench step")),
    Mistake(3, "no GPU", offered=("--device cuda", "steadygan bench device")),
    Mistake(4, "files read at every iteration", run=("input-stalls",),
            prevented="images are read once, into one array mapped from disk"),
    Mistake(5, "no log of observations", prevented="notes.jsonl, log.jsonl", offered=("steadygan note",
            "steadygan compare")),
    Mistake(6, "no seed", prevented="every run has one, in run.json, and repeats on its machine", offered=("--seed 0",
            )),
    Mistake(7, "grey mixed with colour, poor inputs", ("images-grey", "images-coloured", "images-blank",
            "images-blurred", "unusable-files", "very-few-images"), prevented="all images get one form",
            offered=("steadygan inspect",)),
    Mistake(8, "inputs not normalised", ("reals-range",), ("input-range",), _RANGE),
    Mistake(9, "no checkpoints", prevented="written whole or not at all, and pruned",
            offered=("--set checkpoint.every_steps=500",)),
    Mistake(10, "no generated pictures on the way", prevented="grids from fixed latents and from fresh ones",
            offered=("--set samples.every_steps=100",)),
    Mistake(11, "wrong layout of tensors", ("channels-last",),
            prevented="the form of the images is one value, and both networks are built for it"),
    Mistake(12, "normalised twice", ("reals-range",), ("normalised-twice",),
            "inputs.png shows what the discriminator sees"),
    Mistake(13, "images read through the framework", prevented="Pillow and NumPy read them, before any step"),
    Mistake(14, "orphaned tensors", run=("memory-grows",), prevented="what is kept from a step is detached"),
    Mistake(15, "optimised and reported in one call",
            prevented="a loss in the log is that of the update, from before it, every time"),
    Mistake(16, "networks that do not mirror each other", ("asymmetric-depth", "lopsided-parameters")),
    Mistake(17, "no tanh", ("no-tanh",)),
    Mistake(18, "biases that do not start at 0", ("nonzero-biases", "default-initialisation"),
            prevented="our initialisations set them to 0"),
    Mistake(19, "no Xavier or similar", ("odd-initialisation", "default-initialisation"),
            offered=("--set networks.generator_init=xavier", "--set networks.discriminator_init=he")),
    Mistake(20, "too few filters", ("few-filters",), offered=("--set networks.width=64",)),
    Mistake(21, "pooling", ("pooling", "average-pooling"), offered=("--set networks.downsampling=strided",)),
    Mistake(22, "no leaky ReLU in the discriminator", ("no-leaky-relu", "relu-in-bounded-discriminator"),
            offered=("--set networks.discriminator_activation=leaky_relu",)),
    Mistake(23, "batch norm with other statistics when sampling", run=("batch-norm-modes",),
            prevented="statistics are measured anew for the averaged weights",
            offered=("--set networks.generator_norm=virtual_batch",)),
    Mistake(24, "no regulariser", ("no-regulariser", "norm-alone"), offered=("--set penalties=l2",
            "--set penalties=r1")),
    Mistake(25, "an odd constant of the regulariser", ("regularisation-constant",), ("regulariser-dominates",),
            "the log has the share of each term"),
    Mistake(26, "batch norm in G's last or D's first layer", ("norm-in-generators-last-layer",
            "norm-in-discriminators-first-layer")),
    Mistake(27, "checkerboard", ("uneven-kernels",), ("checkerboard",), offered=("--set networks.closing_layers=1",
            "--set networks.upsampling=nearest", "--set networks.upsampling=pixel_shuffle")),
    Mistake(28, "all cores used", prevented="one core stays free, more while others are at work",
            offered=("--threads 4",)),
    Mistake(29, "reals that are not in -1 to 1", ("reals-range", "another-range"), ("input-range",), _RANGE),
    Mistake(30, "too few iterations", ("few-steps", "short-budget", "images-unseen"), ("still-improving",),
            offered=("--steps 20000", "steadygan resume")),
    Mistake(31, "learning rate too high for the batch", ("rate-too-high",), ("learning-rate-too-high", "divergence"),
            offered=("--set optimizer.generator.lr=1e-4", "--batch 512")),
    Mistake(32, "one Adam for several losses", ("one-adam-state",),
            prevented="each player has its own; moderated turns have four", offered=("--set turns=moderated",)),
    Mistake(33, "no history of fakes", ("no-history", "old-fakes"), offered=("--set replay=history",)),
    Mistake(34, "a picture generated for the history", prevented="the history takes rows of batches that are there"),
    Mistake(35, "a history in another range", ("history-range", "another-range"),
            prevented="it keeps pictures as the discriminator saw them"),
    Mistake(36, "the generator favoured", ("favours-generator",), ("discriminator-too-weak",),
            offered=("--set turns=fixed",)),
    Mistake(37, "one player far stronger", ("lopsided-parameters", "favours-discriminator"),
            ("discriminator-too-strong", "discriminator-too-weak"), offered=("--set turns=balanced",)),
    Mistake(38, "reals and fakes in one batch of a batch norm", ("joint-batches",),
            prevented="batches are apart, if not asked for otherwise", offered=("--set batches=separate",)),
    Mistake(39, "training that is not moderated", run=("discriminator-too-strong", "discriminator-too-weak"),
            offered=("--set turns=moderated",)),
)  # fmt: skip
