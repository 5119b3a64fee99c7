"""How features rank the checkpoints of runs, beside the classifier of `distance.py`: Spearman's correlation.

    python benchmarks/ranking.py runs/a runs/b runs/c --data cifar --features scattering,efficientnet --count 2000

Each checkpoint kept by each run makes `--count` pictures with its averaged generator, the same ones for every judge;
judged by the Fréchet distance to as many reals, in the features of the classifier and in each of `--features`. All
runs must be of the size that the reals are brought to. A run leaves many checkpoints with `--set checkpoint.keep=10`
and `--set checkpoint.every_images=N`, or by `minutes.py --curve 10`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from distance import SETS, Gaussian, Images, arguments, frechet, make_judge, open_set
from minutes import points_of
from pydantic import TypeAdapter
from scipy.stats import spearmanr

from steadygan.features import AnyFeatures, Extractor
from steadygan.training.sampling import rows

Distance = Callable[[Images], float]


def distance_by(extractor: Extractor, reals: Images) -> Distance:
    """The Fréchet distance of uint8 pictures (N, S, S, C) to `reals` in the features of an extractor."""

    def described(images: Images) -> Gaussian:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        return Gaussian.of(extractor(pixels).features.double())

    of_reals = described(reals)
    return lambda images: frechet(of_reals, described(images))


def table(distances: Sequence[Distance], names: Sequence[str], runs: Sequence[Path], count: int) -> str:
    """Markdown: a line for each checkpoint, a column for each judge, then how each ranks them beside the first one."""
    lines, found, own = [f"| run | images seen | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"], [], []
    for number, run in enumerate(runs):
        for seen, generator in points_of(run):
            images = rows(generator.sample(count))
            found.append([distance(images) for distance in distances])
            own.append(number)
            lines.append(f"| {run.name} | {seen:,} | {' | '.join(f'{value:.3f}' for value in found[-1])} |")
    values, of = np.array(found), np.array(own)
    for column, name in enumerate(names[1:], 1):
        whole = spearmanr(values[:, 0], values[:, column]).statistic
        within = [spearmanr(*values[of == n][:, [0, column]].T).statistic for n in set(own) if (of == n).sum() > 2]
        each = ", ".join(f"{one:.2f}" for one in within)
        lines.append(f"\n{name} beside {names[0]}: {whole:.3f} over {len(of)} checkpoints; within runs {each}")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run folders")
    parser.add_argument("--data", default="cifar", help=f"the reals: {', '.join(SETS)}, or a path")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--features", default="scattering,efficientnet", help="names with commas between")
    arguments(parser)
    parser.set_defaults(count=2000)
    options = parser.parse_args(words)
    dataset = open_set(options.data, options.size, options.out / "data")
    judge = make_judge(options, dataset)
    reals = dataset.images[np.sort(np.random.default_rng(0).permutation(len(dataset))[: judge.count])]
    names = options.features.split(",")
    chosen = [TypeAdapter[AnyFeatures](AnyFeatures).validate_python(name) for name in names]
    distances = [judge, *(distance_by(one.build(torch.device("cpu")), reals) for one in chosen)]
    print(table(distances, ["classifier", *names], options.runs, judge.count))


if __name__ == "__main__":
    main()
