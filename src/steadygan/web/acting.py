"""What is done with a run from its page: stop, note, resume, export, report."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from steadygan.claim import holder
from steadygan.errors import ConfigError
from steadygan.runs import Run
from steadygan.schedule import whole_number
from steadygan.web.page import JsonAnswer
from steadygan.web.sending import file_of
from steadygan.web.studio import Studio
from steadygan.web.thumbnails import inside

EXPORTS = "exports"
"""The folder in a run for what is exported from its page."""
FORMS = ("safetensors", "onnx", "pt2", "html")
PICTURES = {"png": ("pictures", ()), "gif": ("walk", ("-n", "8"))}
"""Forms that are sampled: how their files are called, and the options that make them."""
_LONGEST_NOTE = 10_000  # characters
_LIMITS = ("images", "steps", "minutes")


def routes(studio: Studio) -> list[BaseRoute]:
    """All that changes one run."""
    acts = Acts(studio)
    named = (acts.stop, acts.note, acts.resume, acts.export, acts.report)
    return [
        *(Route(f"/api/runs/{{run}}/{act.__name__}", act, methods=["POST"]) for act in named),
        Route("/api/runs/{run}/jobs", acts.jobs),
        Route(f"/runs/{{run}}/{EXPORTS}/{{name}}", acts.exported),
    ]


class Acts:
    """What the buttons of a page do."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    async def stop(self, request: Request) -> JsonAnswer:
        """Ask the process that trains to save its state and leave."""
        run = self.studio.run_of(request.path_params["run"])
        return JsonAnswer({"stopping": await run_in_threadpool(stop_writer, run)})

    async def note(self, request: Request) -> JsonAnswer:
        """Add to the observation log."""
        run, text = self.studio.run_of(request.path_params["run"]), str((await sent(request)).get("text", "")).strip()
        if not text or len(text) > _LONGEST_NOTE:
            raise ConfigError(f"a note has 1 to {_LONGEST_NOTE:,} characters; this one has {len(text):,}")
        await run_in_threadpool(run.note, text)
        return JsonAnswer({"noted": text})

    async def resume(self, request: Request) -> JsonAnswer:
        """Go on training, with a budget if one is given."""
        run, id_ = self.studio.run_of(request.path_params["run"]), request.path_params["run"]
        options = budget(await sent(request))
        if await run_in_threadpool(holder, run.path):
            raise ConfigError("this run is already training; wait for it, or stop it, and it saves its state")
        return JsonAnswer(self.studio.processes.start("resume", ["resume", _path(run), *options], id_).told())

    async def export(self, request: Request) -> JsonAnswer:
        """Write the generator, or pictures of it, into one file."""
        run, id_ = self.studio.run_of(request.path_params["run"]), request.path_params["run"]
        wanted = await sent(request)
        form, which = str(wanted.get("form")), str(wanted.get("checkpoint", "best"))
        if form not in (*FORMS, *PICTURES):
            raise ConfigError(f"there is no form '{form}'; there are: {', '.join((*FORMS, *PICTURES))}")
        name = (await run_in_threadpool(run.checkpoint, which)).name if which not in ("best", "latest") else which
        called, options = PICTURES.get(form, ("generator", ()))
        out = run.path.absolute() / EXPORTS / f"{called}-{name}.{form}"
        if not inside(out, run.path):
            raise ConfigError(f"{EXPORTS}: it is a link that leads out of this run; remove it")
        command = "sample" if form in PICTURES else "export"
        arguments = [command, _path(run), "-o", str(out), "--checkpoint", name, *options]
        return JsonAnswer(self.studio.processes.start("export", arguments, id_).told() | {"name": out.name})

    async def report(self, request: Request) -> JsonAnswer:
        """Write the report."""
        run, id_ = self.studio.run_of(request.path_params["run"]), request.path_params["run"]
        return JsonAnswer(self.studio.processes.start("report", ["report", _path(run)], id_).told())

    async def jobs(self, request: Request) -> JsonAnswer:
        """What was started for this run."""
        return JsonAnswer({"jobs": [job.told() for job in self.studio.processes.about(request.path_params["run"])]})

    async def exported(self, request: Request) -> Response:
        """A file that was exported, to keep."""
        folder, name = self.studio.run_of(request.path_params["run"]).path, request.path_params["name"]
        if Path(name).suffix.removeprefix(".") not in (*FORMS, *PICTURES) or Path(name).name != name:
            raise HTTPException(404, "there is no such file in this run")
        return await run_in_threadpool(lambda: file_of(request, folder, folder / EXPORTS / name, save=True))


async def sent(request: Request) -> dict[str, Any]:
    """The JSON that a page sent; ConfigError if it is no object."""
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError("a page of the studio sends JSON; reload the page")
    return found


def stop_writer(run: Run) -> str:
    """Ask the process that trains a run to save its state and leave; ConfigError if none of this machine does."""
    found = holder(run.path)
    if found is None:
        raise ConfigError("nothing trains this run any more")
    if found.pid is None or found.pid == os.getpid():
        where = f"on {found.host}" if found.host else "elsewhere"
        raise ConfigError(f"the process that trains this run is {where}; stop it there with Ctrl-C")
    if os.name != "posix":
        raise ConfigError("this system lets no other program stop it; press Ctrl-C where it runs")
    try:
        os.kill(found.pid, signal.SIGTERM if _ignores_interrupts(found.pid) else signal.SIGINT)
    except ProcessLookupError:
        raise ConfigError("nothing trains this run any more") from None
    except PermissionError:
        raise ConfigError(f"process {found.pid} is another user's; stop it there with Ctrl-C") from None
    return f"process {found.pid} saves its state and leaves"


def _ignores_interrupts(pid: int) -> bool:
    """Whether a process was started in the background of a script, whose shell keeps Ctrl-C away from it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:  # a system without such files
        return False
    masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigIgn:")]
    return any(mask >> (signal.SIGINT - 1) & 1 for mask in masks)


def budget(wanted: Mapping[str, Any]) -> list[str]:
    """The option that sets a budget, at most one; none resumes up to the run's own."""
    given = {name: str(wanted[name]) for name in _LIMITS if wanted.get(name) not in (None, "")}
    if len(given) > 1:
        raise ConfigError("give images, steps or minutes, one of them")
    for name, text in given.items():
        try:
            number = float(text) if name == "minutes" else float(whole_number(text))
        except ValueError:
            number = 0
        if not 0 < number < 1e15:
            raise ConfigError(f"{name} is a number above 0, as 200000 or 1.5M; '{text[:40]}' is none")
    return [word for name, text in given.items() for word in (f"--{name}", text)]


def _path(run: Run) -> str:
    """A path that no option looks like."""
    return str(run.path.absolute())
