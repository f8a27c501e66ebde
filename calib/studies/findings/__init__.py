"""What is made of a study's jobs: tests, tables and figures. A finding is an entry.

outcome, found -> one file a finding
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from calib.studies.findings import table
from calib.studies.findings.found import Found
from calib.studies.findings.outcome import Outcome
from calib.studies.options import Option, check_all
from calib.studies.source import Place, Source
from calib.studies.study import Step


@dataclass(frozen=True)
class Finding:
    """``about`` it, the kinds of steps of which it needs one each, and its options."""

    about: str
    find: Callable[[Sequence[Outcome], Mapping[str, Any], int], Found]
    needs: Sequence[tuple[str, ...]] = ()
    options: Mapping[str, Option] = field(default_factory=dict)

    def check(
        self, source: Source, place: Place, options: Mapping[str, Any], steps: Mapping[str, Step]
    ) -> None:
        """Refuse, at its line, what the finding cannot be made of."""
        check_all(source, place, options, self.options, f"finding {place[-1]}")
        kinds = {step.kind for step in steps.values()}
        for wanted in self.needs:
            if not kinds & set(wanted):
                source.refuse(
                    place, f"finding {place[-1]}: it needs a step of {' or '.join(wanted)}"
                )


FINDINGS: dict[str, Finding] = {
    "table": Finding("one table of all runs: are they calibrated?", table.find),
}
