"""A data set as ordinary pictures again, for programs that know nothing of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from steadygan.data.dataset import Dataset
from steadygan.errors import ConfigError, os_errors
from steadygan.names import spelled
from steadygan.rundir import atomic_folder

_LONGEST = 100  # bytes of the name of a folder
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@os_errors()
def save_images(dataset: Dataset, folder: str | Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Write every image as a PNG into a new folder, in a folder for each class if there are classes.

    `metadata.jsonl` says for each `file_name` its label, the file it came from and whether it is held out; it is the
    table that the image folders of the Hugging Face hub have, too. `progress` is called with (done, total).
    Raises ConfigError if the folder exists or the images are points or have channels that a PNG lacks.
    """
    folder = Path(folder)
    mode = _MODES.get(dataset.spec.channels)
    if mode is None or dataset.spec.size == 1:
        raise ConfigError(f"{dataset.path} holds {dataset.spec}, which no PNG can hold")
    if folder.exists():
        raise ConfigError(f"{folder} exists; choose another folder with -o")
    held_out, folders = set(dataset.held_out.tolist()), _folders(dataset.class_names)
    lines = []
    with atomic_folder(folder) as part:
        for index, entry in enumerate(dataset.entries()):
            image, label = dataset[index]
            name = f"{index:06d}.png" if label is None else f"{folders[label]}/{index:06d}.png"
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(image if mode != "L" else image[..., 0])).save(part / name, compress_level=1)
            line = {"file_name": name, "source": entry.file, "held_out": index in held_out}
            lines.append(line if label is None else {**line, "label": dataset.class_names[label]})
            if progress and index % 100 == 99:
                progress(index + 1, len(dataset))
        text = "".join(spelled(json.dumps(line, ensure_ascii=False)) + "\n" for line in lines)
        (part / "metadata.jsonl").write_text(text, encoding="utf-8")
    return folder


def _folders(labels: tuple[str, ...]) -> list[str]:
    """A folder name for each label, which may be any text: no path, not hidden, no two alike."""
    plain = [re.sub(r"[^\w .()+-]+", "_", label).strip(". ") for label in labels]
    names = [name.encode()[:_LONGEST].decode(errors="ignore").strip(". ") for name in plain]
    return [
        name if name and [other.lower() for other in names].count(name.lower()) == 1 else f"{number:03d} {name}".strip()
        for number, name in enumerate(names)
    ]
