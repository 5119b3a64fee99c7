"""What the form asks for, and the command line that does it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from steadygan.config import parse_assignment
from steadygan.errors import ConfigError
from steadygan.names import is_utf8, shown

_PLACE = re.compile(r"[a-z]\w{0,60}(\.\w{1,60}){0,8}", re.ASCII)
_RECIPE = re.compile(r"[\w-]{1,60}", re.ASCII)  # a name: files would be code of whoever can ask the studio
_NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,199}")
_LONGEST_NAME = 200  # bytes: its output has a file of this name and more
_MOST = 300  # settings
_LONGEST = 4096  # characters of a path
_OPTIONS = {
    "budget.images": "--images",
    "budget.steps": "--steps",
    "budget.minutes": "--minutes",
    "batch": "--batch",
    "size": "--size",
    "seed": "--seed",
    "runtime.device": "--device",
    "runtime.precision": "--precision",
    "runtime.threads": "--threads",
}
_PARTS = {"loss", "networks", "show", "replay", "opponent", "turns", "care"}
"""Settings for which the name of a part says as much as the part with nothing chosen in it."""


class WantedRun(NamedTuple):
    """A run as the form has it: `settings` are those that are not the recipe's, by their places behind `--set`."""

    source: str
    recipe: str
    settings: dict[str, Any]
    name: str

    def words(self, *more: str) -> list[str]:
        """The words behind `steadygan`, `more` before the settings; none of them is read by a shell."""
        source = f"./{self.source}" if self.source.startswith("-") else self.source
        recipe = ["--recipe", self.recipe] if self.recipe else []
        return ["train", source, *recipe, *self._options(), *more]

    def _options(self) -> Iterator[str]:
        for place, value in self.settings.items():
            option = _OPTIONS.get(place)
            if option and _plain(place, value):
                yield from (option, str(value))
        for place, value in self.settings.items():
            if not _plain(place, value):
                yield from ("--set", assignment(place, value))


def assignment(place: str, value: Any) -> str:
    """`place=value` as `--set` takes it, the shortest that means exactly this value."""
    if place in _PARTS and isinstance(value, dict) and set(value) == {"kind"} and isinstance(value["kind"], str):
        value = value["kind"]
    exact = f"{place}={json.dumps(value)}"
    bare = f"{place}={value}" if isinstance(value, str) and value else exact
    return bare if parse_assignment(bare) == parse_assignment(exact) else exact


def _plain(place: str, value: Any) -> bool:
    """Whether an option of its own takes this value; what is wrong is better said of the setting, by `--set`."""
    if place in ("runtime.device", "runtime.precision"):
        return isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9]{0,20}", value) is not None
    if place in ("budget.images", "budget.steps") and isinstance(value, str):
        return re.fullmatch(r"[1-9][0-9]{0,11}[kM]?", value) is not None
    numbers = int | float if place == "budget.minutes" else int
    return place in _OPTIONS and isinstance(value, numbers) and not isinstance(value, bool) and 1 <= value < 10**15


def line(words: list[str]) -> str:
    """What a person would type."""
    return shown(shlex.join(["steadygan", *words]))


def wanted(asked: Any) -> WantedRun:
    """What a page sent, checked as far as it can be here; ConfigError in one line."""
    if not isinstance(asked, dict):
        raise ConfigError("a run is asked for as an object with source, recipe, settings and name")
    texts = {name: asked.get(name, "") for name in ("source", "recipe", "name")}
    for name, text in texts.items():
        if not isinstance(text, str) or (text and not is_utf8(text)) or "\0" in text or len(text) > _LONGEST:
            raise ConfigError(f"{name}: it is no text that a command line could hold")
    if not texts["source"].strip():
        raise ConfigError("data.source: name the images: a folder, a zip, a prepared set, or builtin:critters")
    if texts["recipe"] and not _RECIPE.fullmatch(texts["recipe"]):
        raise ConfigError("recipe: choose one from the list; files of recipes are for the command line")
    return WantedRun(settings=_settings(asked.get("settings", {})), **texts)


def _settings(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict) or len(given) > _MOST:
        raise ConfigError(f"settings: at most {_MOST} of them, by their places")
    for place, value in given.items():
        if not _PLACE.fullmatch(place):
            raise ConfigError(f"settings: there is no setting {place[:80]!r}")
        try:
            known = "\\u0000" not in json.dumps(value, allow_nan=False, ensure_ascii=False).encode().decode()
        except ValueError:  # not finite, or half a character
            known = False
        if not known:
            raise ConfigError(f"{place}: it is no value that a command line could hold")
    return given


def free_name(folder: Path, about: WantedRun, begun: Container[str] = ()) -> str:
    """The name of the next run of this recipe and source in a folder, as the command line would choose it.

    `begun` are names of runs that will soon be there.
    """
    source = re.sub(r"^(builtin|hub):", "", about.source).partition("?")[0].rstrip("/")
    stem = re.sub(r"[/\\\x00-\x1f\x7f]", "-", shown(Path(source).stem))[:50].strip(". ") or "images"
    names = (f"{about.recipe or 'steady'}-{stem}-{number:02d}" for number in range(1, 10**6))
    return next(name for name in names if name not in begun and not (folder / name).exists())


def folder_of(folder: Path, name: str, begun: Container[str] = ()) -> Path:
    """The folder of a new run; ConfigError if its name leads elsewhere, or is taken."""
    if not _NAME.fullmatch(name) or len(name.encode()) > _LONGEST_NAME:
        raise ConfigError("out: the name of a run is that of a folder: short, without / and not beginning with a dot")
    path = folder / name
    if name in begun or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
        raise ConfigError(f"out: there is a {name} already; choose another name")
    return path
