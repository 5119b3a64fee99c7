"""What of a run's own findings still holds, and what was done about the rest."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from steadygan.doctor.rule import given_up
from steadygan.records import Finding


class FindingHistory(NamedTuple):
    """What stands, what care did, and what was found in weights that the run was set back from, as history."""

    stand: list[Finding]
    acts: list[Finding]
    past: list[Finding]


def history_of(findings: Sequence[Finding], checkpoints: Collection[str]) -> FindingHistory:
    """The findings of a run that has these checkpoints: an act can be undone as long as the one it needs is there."""
    past = given_up(findings)
    stand = [one for one in findings if not one.act and one not in past]
    return FindingHistory(
        stand, [_possible(one, checkpoints) for one in findings if one.act], [*map(_as_history, past)]
    )


def _possible(act: Finding, checkpoints: Collection[str]) -> Finding:
    needed = re.search(r"--from-checkpoint (\S+)", act.remedy)
    return act.model_copy(update={"remedy": ""}) if needed and needed[1] not in checkpoints else act


def _as_history(finding: Finding) -> Finding:
    """Of weights that are gone: nothing is to be done about it any more."""
    says = f"{finding.says or finding.evidence}; the run was set back from it"
    return finding.model_copy(update={"severity": "info", "says": says, "remedy": "", "unless": ""})
