"""Techniques that are no part of their own but a number or a word in one: the rest of the catalogue."""

from __future__ import annotations

from steadygan.recipes.catalogue import Group, Technique

GROUP = Group(
    "by a setting", "What needs no part of its own, but a number or a word in another.", ("that of the option",), None
)


def _entry(name: str, what: str, helps: str, hurts: str, papers: tuple[str, ...], *switches: str) -> Technique:
    return Technique(name, GROUP, what, "", helps, hurts, papers, (), switches)


BY_SETTING = [
    _entry(
        "label_smoothing",
        "Labels short of certainty for the discriminator, one for all or a range. Salimans et al. (2016), section 3.4.",
        "A discriminator that is sure of everything keeps a gradient to give.",
        "Smoothed labels of fakes too, or labels above 1, pull the optimum away from the data.",
        ("arXiv:1606.03498", "https://github.com/soumith/ganhacks", "seed:eleven-hacks", "seed:ten-lessons"),
        """--set 'loss={"kind": "non_saturating", "real_labels": [0.9, 0.9]}'""",
        """--set 'loss={"kind": "non_saturating", "real_labels": [0.7, 1.2], "fake_labels": [0.0, 0.3]}'""",
    ),
    _entry(
        "noisy_labels",
        "Now and then a label is that of the other side. Chintala et al. (2016), item 6.",
        "Keeps an early, overconfident discriminator from settling on a few features.",
        "Every flipped label is a wrong lesson; beyond a few per cent the discriminator learns less.",
        ("https://github.com/soumith/ganhacks", "seed:eleven-hacks"),
        """--set 'loss={"kind": "non_saturating", "flip": 0.05}'""",
    ),
    _entry(
        "spectral_norm",
        "Every layer divided by its largest singular value, in one player or both. Miyato et al. (2018), section 2.",
        "A discriminator that grows too steep; the only norm it then needs.",
        "Its bound costs sharpness where a gradient penalty would not; a little time for each layer.",
        ("arXiv:1802.05957", "arXiv:1805.08318", "seed:ten-lessons"),
        "--set networks.spectral_norm=discriminator",
        "--set networks.spectral_norm=both",
    ),
    _entry(
        "dropout",
        "A share of the discriminator's values is left out, at random, in training.",
        "A discriminator that memorises a small set.",
        "Its verdict becomes random, which gradient penalties and the perturbed ones then punish.",
        ("seed:upsample",),
        "--set networks.dropout=0.25",
    ),
    _entry(
        "ttur",
        "Two learning rates, the discriminator's the larger. Heusel et al. (2017), section 2.",
        "Keeps the discriminator near its optimum without more turns for it.",
        "Two numbers to find instead of one.",
        ("arXiv:1706.08500", "seed:ten-lessons"),
        "--set optimizer.generator.lr=1e-4 --set optimizer.discriminator.lr=4e-4",
    ),
    _entry(
        "joint_batches",
        "Reals and fakes go through the discriminator in one batch, in its own turn (joint) or in both (joint_both).",
        "To see what the advice against it is worth: one document joins the batches, two keep them apart.",
        "With joint and batch norm both losses may be low while nothing is learnt; joint_both leaves both turns alike.",
        ("seed:upsample", "seed:satellite", "seed:eleven-hacks", "https://github.com/soumith/ganhacks"),
        "--set batches=joint",
        "--set batches=joint_both",
    ),
    _entry(
        "closing_layers",
        "Convolutions of stride 1 at the full resolution before the tanh, mirrored in the discriminator.",
        "Against the checkerboard of strided transposed convolutions.",
        "The full resolution is the most expensive place for a layer.",
        ("seed:satellite",),
        "--set networks.closing_layers=1",
    ),
    _entry(
        "self_modulation",
        "The latent scales and shifts the channels of every layer of the generator. Chen et al. (2019), section 2.",
        "What a picture is to be reaches the fine layers, too, not through all coarse ones alone.",
        "Some passes over each map and two small dense layers for it: a twentieth of the speed.",
        ("arXiv:1810.01365",),
        "--set networks.self_modulation=32 --set networks.generator_norm.affine=false",
    ),
    _entry(
        "conditional",
        "Both networks are told each image's class, where there are classes. Mirza and Osindero (2014).",
        "No class is lost, each is nearer to what it shows, and one can be asked for.",
        "Pictures of one class are more alike, most of all in small batches, which hold an image or two of each.",
        ("arXiv:1411.1784", "arXiv:1802.05637"),
        "--set networks.conditional=true",
    ),
    _entry(
        "fine_tuning",
        "Both networks start as those of a trained run on other images, as with `--from`. Wang et al. (2018).",
        "A few hundred images: what all pictures have in common is there already.",
        "Traces of the first images stay for long, and of a source too unlike the new ones little is of use.",
        ("arXiv:1805.01677",),
        "--set start.source=runs/a",
    ),
    _entry(
        "freeze_discriminator",
        "The first layers of the discriminator stay as they were when it started. Mo et al. (2020), section 3.",
        "Fine-tuning on few images: a discriminator that may change less memorises them later.",
        "Where the new images have other fine textures than the first, those layers do not see them.",
        ("arXiv:2002.10964",),
        "--set start.source=runs/a --set freeze.discriminator=2",
    ),
    _entry(
        "patch_verdicts",
        "The discriminator judges places of its inner maps beside the whole. Isola et al. (2017), section 3.2.2.",
        "Texture is learnt sooner: every place of a picture teaches, not the picture as a whole alone.",
        "What holds a picture together counts for less where there is little texture.",
        ("arXiv:1611.07004",),
        "--set networks.patches=2",
    ),
]
