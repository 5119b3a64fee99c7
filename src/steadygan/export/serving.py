"""Pictures for another program: requests come as lines of JSON and are answered so, by a generator kept at hand.

Each request has an `id` and says what to `do`; each answer repeats the `id`. One that cannot be answered gets one line
as `error`. Pictures are PNGs and latents are float32, both in base64.
"""

from __future__ import annotations

import json
import queue
import tempfile
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, TypeAdapter, ValidationError
from torch import Tensor

from steadygan.errors import ConfigError, Interrupted, SteadyganError, os_errors
from steadygan.export.compiling import compiled
from steadygan.export.directions import directions
from steadygan.export.inversion import Inversion
from steadygan.export.model import TrainedGenerator, load
from steadygan.export.pictures import save_film, walk
from steadygan.export.projection import project
from steadygan.names import shown
from steadygan.part import Value
from steadygan.training.sampling import rows
from steadygan.visual.grid import as_png, one_by_one

_KEPT = 2  # generators at once
_MOST_PIXELS = 64 * 512**2
_SAME = 1  # levels by which a picture moves from rounding alone
_STEPS = 200  # of the search for a photo: two thirds of what `project` takes, for somebody who waits

Number = Annotated[int, Field(ge=0, lt=10**18)]
Count = Annotated[int, Field(ge=2, le=48)]


class Spot(Value):
    """A place in latent space: picture `number` of a `seed` as `sample` has it, or a `latent` itself.

    It is drawn to the mean latent, 0, by `truncation` (1 stays, 0 is the mean) and then moved by `shift`. Without a
    `label` classes come in turn.
    """

    seed: int = Field(default=0, gt=-(10**18), lt=10**18)
    number: Number = 0
    label: int | None = Field(default=None, ge=0)
    latent: str = ""
    shift: str = ""
    truncation: float = Field(default=1, ge=0, le=1)


class _Request(Value):
    """What all requests say: of which checkpoint, "best", "latest" or a name."""

    id: int
    which: str = "best"


class Describe(_Request):
    """What the generator is; with `fresh` what "best" and "latest" name is looked up again."""

    do: Literal["describe"]
    fresh: bool = False

    def answers(self, server: Server) -> Iterator[dict[str, Any]]:
        if self.fresh:
            server.forget()
        model = server.model(self.which)
        latents = model.latents(2)
        pictures = model.pictures(
            torch.stack([latents[0], latents[0] / 2]), *(label[:1].expand(2) for label in model.labels([0]))
        )
        levels = (pictures[0].int() - pictures[1].int()).abs().max()
        yield {
            "checkpoint": model.about["checkpoint"],
            "images": model.about["images"],
            "size": model.spec.size,
            "channels": model.spec.channels,
            "classes": [shown(name) for name in model.class_names[: model.classes]],
            "dim": model.latent_dim,
            "batch": model.batch,
            "truncates": int(levels) > _SAME,  # some generators take all lengths for one
        }


class Paint(_Request):
    """The pictures of some spots. If `exact`, and if they fill a batch, to the bit as `sample` makes them; else one
    may differ by a level, and comes sooner.
    """

    do: Literal["paint"]
    spots: tuple[Spot, ...] = Field(min_length=1, max_length=64)
    exact: bool = False

    def answers(self, server: Server) -> Iterator[dict[str, Any]]:
        model = server.model(self.which)
        if len(self.spots) * model.spec.size**2 > _MOST_PIXELS:
            raise ConfigError(f"{len(self.spots)} pictures of {model.spec} are too many at once; ask for fewer")
        latents, labels = places(model, self.spots)
        yield {"pictures": pictures_of(model, latents, *labels, exact=self.exact)}


class Walk(_Request):
    """Pictures on the way through stations and back to the first, `frames` from each to the next; of those all, or
    `count` from `first` on.
    """

    do: Literal["walk"]
    stations: tuple[Spot, ...] = Field(min_length=2, max_length=4)
    frames: Count = 16
    first: int = Field(default=0, ge=0)
    count: Count = 48

    def answers(self, server: Server) -> Iterator[dict[str, Any]]:
        model = server.model(self.which)
        way = walk(model, *places(model, self.stations), self.frames)
        count = min(self.count, max(1, _MOST_PIXELS // model.spec.size**2))
        part = [one[self.first : self.first + count] for one in way]
        if not len(part[0]):
            raise ConfigError(f"walk: it ends before picture {self.first}; ask for an earlier one")
        yield {"pictures": pictures_of(model, *part)}


class Film(_Request):
    """The same walk as a GIF."""

    do: Literal["film"]
    stations: tuple[Spot, ...] = Field(min_length=2, max_length=4)
    frames: Count = 24
    fps: float = Field(default=24, ge=1, le=50)

    def answers(self, server: Server) -> Iterator[dict[str, Any]]:
        model = server.model(self.which)
        latents, *labels = walk(model, *places(model, self.stations), self.frames)
        images = rows(model.pictures(latents, *labels))
        with tempfile.TemporaryDirectory() as folder:
            save_film(images, file := Path(folder) / "walk.gif", self.fps)
            yield {"gif": _text(file.read_bytes())}


class Ways(_Request):
    """The directions along which its pictures change most, as lists of numbers: it takes seconds."""

    do: Literal["ways"]

    def answers(self, server: Server) -> Iterator[dict[str, Any]]:
        model = server.model(self.which)
        program = compiled(model.generator, model.latent_dim, model.classes)
        ways = directions(program, model.latents(4, seed=1))  # as the exported page has them
        yield {"ways": [[round(x, 5) for x in row] for row in ways.tolist()]}


class Photo(_Request):
    """The latent whose picture is nearest to the photo in a `file`; answers before the last say how far it is."""

    do: Literal["photo"]
    file: str
    label: int | None = Field(default=None, ge=0)
    seed: int = 0

    def answers(self, server: Server) -> Iterator[dict[str, Any]]:
        def progress(done: int, total: int) -> None:
            if server.gone.is_set():
                raise Interrupted("nobody waits for it any more")
            server.say({"id": self.id, "done": done, "total": total})

        how = Inversion(steps=_STEPS)
        try:
            names = server.model(self.which).class_names
            label = None if self.label is None else names[self.label % len(names)] if names else str(self.label)
            found = project(server.run, self.file, label, self.seed, how, own=0, progress=progress, which=self.which)
        except SteadyganError as problem:
            raise type(problem)(str(problem).replace(self.file, "the photo")) from problem
        yield {
            "latent": _text(found.latents[0].numpy().tobytes()),
            "label": None if found.labels is None else int(found.labels[0]),
            "distance": float(found.distances[0]),
            "random": float(found.random[0]),
            "far": bool(found.far[0]),
            "photo": _png(found.photos),
            "picture": _png(found.pictures),
        }


AnyRequest = Annotated[Describe | Paint | Walk | Film | Ways | Photo, Field(discriminator="do")]
_REQUEST: TypeAdapter[AnyRequest] = TypeAdapter(AnyRequest)


class Server:
    """What requests are answered with: the generators of a run, and `say`, which sends an answer.

    `gone` is set when nobody listens any more.
    """

    def __init__(self, run: Path, say: Callable[[dict[str, Any]], None]) -> None:
        self.run, self.say = run, say
        self.gone = threading.Event()
        self._models: dict[str, TrainedGenerator] = {}
        self._named: dict[str, str] = {}

    def model(self, which: str) -> TrainedGenerator:
        """The generator of a checkpoint; "best" and "latest" stay what they first named. Errors as `load`."""
        model = self._models.get(self._named.get(which, which))
        if model is None:
            model = load(self.run, which)
            if model.spec.size == 1:
                raise ConfigError(f"{self.run.name} makes {model.spec}; there is nothing to explore without pictures")
            self._named[which] = name = model.about["checkpoint"]
            self._models = dict([*self._models.items()][1 - _KEPT :]) | {name: model}
        return model

    def forget(self) -> None:
        """Look up anew what "best" and "latest" name."""
        self._named.clear()

    def answer(self, line: str) -> None:
        """Answer one request; what is wrong with it, or with the run, is an answer, too."""
        name = None
        try:
            asked = json.loads(line)
            name = asked.get("id") if isinstance(asked, dict) else None
            request = _REQUEST.validate_python(asked)
            with os_errors():
                for found in request.answers(self):
                    self.say({"id": name, **found})
        except ValidationError as problem:
            first = problem.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
            self.say({"id": name, "error": f"{where}: {first['msg']}"})
        except SteadyganError as problem:
            self.say({"id": name, "error": "; ".join(str(problem).splitlines())})
        except Exception as problem:  # noqa: BLE001 - one picture that cannot be made ends no process
            line = next(iter(str(problem).splitlines()), "")
            self.say({"id": name, "error": f"{type(problem).__name__}: {line}"})


def serve(run: Path, lines: Iterable[str], write: Callable[[str], object], threads: int = 1) -> None:
    """Answer the requests in `lines` until they end; `write` is given lines.

    One thread by default: beside a training two wait for each other and are up to ten times slower.
    """
    torch.set_num_threads(threads)

    def say(found: dict[str, Any]) -> None:
        write(json.dumps(found) + "\n")

    server = Server(run, say)
    waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        try:
            for line in lines:
                waiting.put(line)
        finally:
            server.gone.set()
            waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (line := waiting.get()) is not None:
        server.answer(line)


def places(model: TrainedGenerator, spots: Sequence[Spot]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Latents (N, dim) of spots, and labels (N,) if there are classes; ConfigError for what this generator lacks."""
    given = (torch.tensor([_label(model, spot) for spot in spots]),) if model.classes else ()
    return torch.stack([_latent(model, spot) for spot in spots]), given


def pictures_of(model: TrainedGenerator, latents: Tensor, *labels: Tensor, exact: bool = False) -> list[str]:
    """Pictures as PNGs; with `exact` or a whole batch as `sample` makes them, else one by one."""
    batch = model.batch if exact or len(latents) >= model.batch else 1
    return [_text(as_png(one)) for one in one_by_one(rows(model.pictures(latents, *labels, batch=batch)))]


def _label(model: TrainedGenerator, spot: Spot) -> int:
    if spot.label is None:
        return spot.number % model.classes
    if spot.label >= model.classes:
        raise ConfigError(f"label {spot.label}: classes are numbered from 0 to {model.classes - 1}")
    return spot.label


def _latent(model: TrainedGenerator, spot: Spot) -> Tensor:
    start = _numbers(spot.latent, model) if spot.latent else model.latents(seed=spot.seed, pick=[spot.number])[0]
    drawn = start if spot.truncation == 1 else start * spot.truncation
    return drawn + _numbers(spot.shift, model) if spot.shift else drawn


def _numbers(text: str, model: TrainedGenerator) -> Tensor:
    try:
        found = np.frombuffer(b64decode(text, validate=True), "<f4")
    except ValueError:
        found = np.empty(0, np.float32)
    if found.shape != (model.latent_dim,) or not np.isfinite(found).all():
        raise ConfigError(f"this is no latent of this generator, whose latents have {model.latent_dim} numbers")
    return torch.from_numpy(found.copy())


def _png(images: Tensor) -> str:
    return _text(as_png(one_by_one(rows(images[:1]))[0]))


def _text(content: bytes) -> str:
    return b64encode(content).decode()
