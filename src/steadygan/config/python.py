"""Functions of the user's own, named on the command line as FILE.py:FUNCTION."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from steadygan.config.load import explain_any
from steadygan.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = {"site-packages", "dist-packages"}


def python_function(option: str, text: str) -> Callable[..., Any]:
    """Run the user's file once, as `python FILE.py` does, and give its function; ConfigError if it fails or lacks it.

    The file's folder stands first on `sys.path` while the file or the function runs, and last from then on, for what
    their objects import later. Every call reads the file and the modules beside it anew. What file or function raise
    becomes a ConfigError that names the line.
    """
    named, _, name = text.rpartition(":")
    if not Path(named).is_file():
        raise ConfigError(f"{option} {text}: there is no file {named}")
    code = _Code(f"{option} {text}", named)
    function = getattr(code.run(), name, None)
    if not callable(function):
        raise ConfigError(f"{option} {text}: {named} has no function {name}")

    @functools.wraps(function, updated=())
    def guarded(*given: Any, **options: Any) -> Any:
        with code.running():
            made = function(*given, **options)
        return code.going_on(made) if inspect.isgenerator(made) else made

    return guarded


class _Code:
    """A Python file of the user's, `named` as on the command line; `said` begins every complaint about it."""

    _run_so_far: list[_Code] = []  # noqa: RUF012 - of this process, whose modules they share

    def __init__(self, said: str, named: str) -> None:
        self.said, self.named = said, named
        self.file = Path(named).absolute()
        self.folder = self.file.parent

    def run(self) -> ModuleType:
        """Its module, which stands in `sys.modules` under a name that nothing else has."""
        while self._run_so_far:
            self._run_so_far.pop().forget()
        self._run_so_far.append(self)
        self.path, self.modules = list(sys.path), set(sys.modules)
        module = ModuleType(f"<{self.file.stem}>")
        sys.modules[module.__name__] = module
        importlib.invalidate_caches()
        with self.running():
            module.__dict__.update(runpy.run_path(str(self.file), run_name=module.__name__))
        return module

    @contextmanager
    def running(self) -> Iterator[None]:
        """The folder is the first that imports look into; whatever goes wrong is said in one line.

        What the code prints goes to the standard error: on the standard output there may be JSON and nothing else.
        """
        sys.path.insert(0, str(self.folder))
        try:
            with redirect_stdout(sys.stderr):
                yield
        except (Exception, SystemExit) as problem:  # whatever a user's code may do
            raise ConfigError(f"{self.said}: {self._place(problem)}{_sentence(problem)}") from problem
        finally:
            _leave_path(self.folder)
            if str(self.folder) not in sys.path:
                sys.path.append(str(self.folder))

    def going_on(self, made: Iterator[Any]) -> Iterator[Any]:
        """A generator, whose body runs later."""
        with self.running():
            yield from made

    def forget(self) -> None:
        """Take away the modules that were found beside the file, so that the next file finds its own."""
        new = sys.modules.keys() - self.modules
        beside = {name for name in new if _found_in(sys.modules[name]) == self.folder}
        for name in new:
            if name.partition(".")[0] in beside:
                del sys.modules[name]
        if str(self.folder) not in self.path:
            _leave_path(self.folder)

    def _place(self, problem: BaseException) -> str:
        """`FILE, line N: ` where the syntax is wrong, or of the last line of the user's on the way to the fault."""
        lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(problem.__traceback__)]
        if isinstance(problem, SyntaxError):
            lines.append((str(problem.filename), problem.lineno))
        own = [(file, line) for file, line in lines if self._is_users(Path(file))]
        if not own:
            return ""
        shown = os.path.join(os.path.dirname(self.named), os.path.relpath(own[-1][0], self.folder))
        return f"{shown}, line {own[-1][1]}: "

    def _is_users(self, file: Path) -> bool:
        others = file.is_relative_to(_PACKAGE) or not _INSTALLED.isdisjoint(file.parts)
        return file.is_relative_to(self.folder) and not others


def _leave_path(folder: Path) -> None:
    with suppress(ValueError):  # what ran may have changed the path
        sys.path.remove(str(folder))


def _found_in(module: ModuleType) -> Path | None:
    """The folder in which an import found a module or a package."""
    spec = getattr(module, "__spec__", None)  # not __path__, which the modules torch makes up have with no sense
    places = [*(spec.submodule_search_locations or ()), spec.origin] if spec else []
    return Path(places[0]).parent if places and places[0] else None


def _sentence(problem: BaseException) -> str:
    """What went wrong, in one line."""
    said = problem.msg if isinstance(problem, SyntaxError) else problem
    text = explain_any(problem) if isinstance(problem, ValidationError) else f"{type(problem).__name__}: {said}"
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
