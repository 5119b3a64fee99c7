"""A data set as ordinary pictures again, for programs that know nothing of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from steadygan.data.dataset import Dataset
from steadygan.errors import ConfigError, os_errors
from steadygan.names import spelled
from steadygan.rundir import atomic_folder

__all__ = ["save_images"]

_LONGEST = 100  # bytes of the name of a folder
PNG_CHANNELS = (1, 3, 4)


@os_errors()
def save_images(dataset: Dataset, folder: str | Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Write every image as a PNG into a new folder, in a folder for each class if there are classes.

    `metadata.jsonl` says for each `file_name` its label, the file it came from and whether it is held out; it is the
    table that the image folders of the Hugging Face hub have, too. `progress` is called with (done, total).
    Raises ConfigError if the folder exists or the images are points or have channels that a PNG lacks.
    """
    folder = Path(folder)
    if dataset.spec.channels not in PNG_CHANNELS or dataset.spec.size == 1:
        raise ConfigError(f"{dataset.path} holds {dataset.spec}, which no PNG can hold")
    if folder.exists():
        raise ConfigError(f"{folder} exists; choose another folder with -o")
    held_out, folders = set(dataset.held_out.tolist()), folder_names(dataset.class_names)
    lines = []
    with atomic_folder(folder) as part:
        for index, entry in enumerate(dataset.entries()):
            image, label = dataset[index]
            name = f"{index:06d}.png" if label is None else f"{folders[label]}/{index:06d}.png"
            save_png(image, part / name)
            line = {"file_name": name, "source": entry.file, "held_out": index in held_out}
            line |= {"generated": 1} if entry.attributes.get("generated") else {}
            lines.append(line if label is None else {**line, "label": dataset.class_names[label]})
            if progress and index % 100 == 99:
                progress(index + 1, len(dataset))
        text = "".join(spelled(json.dumps(line, ensure_ascii=False)) + "\n" for line in lines)
        (part / "metadata.jsonl").write_text(text, encoding="utf-8")
    return folder


def save_png(image: NDArray[np.uint8], path: Path) -> None:
    """Write one image (H, W, C) of 1, 3 or 4 channels, with the folder it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image)).save(path, compress_level=1)


def folder_names(labels: tuple[str, ...]) -> list[str]:
    """A folder name for each label, which may be any text: no path, not hidden, no two alike."""
    plain = [re.sub(r"[^\w .()+-]+", "_", label).strip(". ") for label in labels]
    names = [name.encode()[:_LONGEST].decode(errors="ignore").strip(". ") for name in plain]
    return [
        name if name and [other.lower() for other in names].count(name.lower()) == 1 else f"{number:03d} {name}".strip()
        for number, name in enumerate(names)
    ]
