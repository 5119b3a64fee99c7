"""`report.html`: what runs were, or what a study found, in one file to look at, show and keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from steadygan.errors import ConfigError, os_errors
from steadygan.names import path_of
from steadygan.report.render import render
from steadygan.report.story import page_of
from steadygan.report.study import study_page
from steadygan.rundir import RunDir, atomic_write, check_output
from steadygan.runs import Run
from steadygan.runs.study import read_study

__all__ = ["write_report"]

OneRun = str | Path | Run


@os_errors()
def write_report(runs: OneRun | Sequence[OneRun], path: str | Path | None = None) -> Path:
    """Write one self-contained HTML file about a run, several side by side at equal images seen, or a study.

    By default it is `report.html` in the folder of the one run or study, or, of several, in the current folder. What
    is missing or damaged in a folder is said on the page. Returns the path. Raises DataError if one is not the folder
    of a run or a study, and ConfigError for a path of another kind, which may be of something else.
    """
    several = [runs] if isinstance(runs, str | Path | Run) else list(runs)
    if not several:
        raise ConfigError("a report needs at least one run")
    found = [one if isinstance(one, Run) else Run(path_of(one)) for one in several]
    studies = [study for run in found if (study := read_study(run.path))]
    if studies and len(found) > 1:
        raise ConfigError("a report is of runs or of one study; give the study alone")
    out = path_of(path) if path else found[0].files.report if len(found) == 1 else RunDir(Path()).report
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"-o {out}: a report is written as FILE.html")
    if studies:
        check_output(out)
        atomic_write(out, study_page(studies[0], found[0].path, out.parent))
        return out
    for run in found:
        run.info()  # before anything is said of where it would be written
    check_output(out)
    atomic_write(out, render(page_of(found)))
    return out
