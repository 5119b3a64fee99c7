"""Generated pictures as a set of their own, which can be put beside real ones and taken out again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from steadygan.data.pictures import PNG_CHANNELS, folder_names, save_png
from steadygan.errors import ConfigError
from steadygan.export.model import load
from steadygan.export.pictures import must_be_new
from steadygan.rundir import atomic_folder
from steadygan.training.config import RunConfig
from steadygan.training.runtime import choose_device
from steadygan.training.sampling import rows

MANIFEST = "manifest.jsonl"


def save_generated(
    source: Path,
    out: Path,
    count: int,
    seed: int = 0,
    which: str = "best",
    progress: Callable[[int, int], None] | None = None,
    recipe: str | RunConfig | None = None,
) -> Path:
    """Write the first `count` pictures of a seed, of a run or an exported file, as PNGs into a new folder.

    They are those that `sample` shows, of all classes in turn where the generator knows any, in a folder for each.
    `manifest.jsonl` says of each its `file`, the `run`, the `checkpoint`, the `seed`, its `index` and its `class`.
    `prepare photos/ generated/` reads that: `index.jsonl` marks these images as `generated`, and none is held out.
    `progress` is called with (done, total). ConfigError if the folder holds something, or for images that no PNG holds.
    """
    model = load(source, which, recipe)
    if model.spec.channels not in PNG_CHANNELS or model.spec.size == 1:
        raise ConfigError(f"{source} makes {model.spec}, which no PNG can hold")
    must_be_new(out)
    model.to(choose_device("auto"))
    folders = folder_names(tuple(model.class_names[: model.classes]))
    origin = {"run": str(model.about.get("run", "")), "checkpoint": str(model.about.get("checkpoint", ""))}
    lines = []
    with atomic_folder(out) as part:
        for start in range(0, count, model.batch):
            numbers = range(start, min(start + model.batch, count))
            labels = [label for each in model.labels(numbers) for label in each.tolist()]
            for place, image in enumerate(rows(model.sample(seed=seed, pick=numbers))):
                name, said = f"{numbers[place]:06d}.png", {}
                if labels:
                    name, said = f"{folders[labels[place]]}/{name}", {"class": model.class_names[labels[place]]}
                save_png(image, part / name)
                lines.append({"file": name, **origin, "seed": seed, "index": numbers[place], **said})
            if progress:
                progress(len(lines), count)
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (part / MANIFEST).write_text(text, encoding="utf-8")
    return out
