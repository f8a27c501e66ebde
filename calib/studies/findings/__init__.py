"""What is made of a study's jobs: tests, tables and figures. A finding is an entry.

outcome, found -> one file a finding
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from calib.calibrators.registry import CALIBRATORS
from calib.studies.findings import (
    before_after,
    elsewhere,
    measures,
    modality,
    remedies,
    selective,
    size_by_prompt,
    table,
    temperatures,
    trajectory,
    unknown,
)
from calib.studies.findings.found import Found
from calib.studies.findings.outcome import Outcome
from calib.studies.options import TEXT, Option, check_all, listing, number, one_of
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


SCORED = ("score", "import")
FAMILIES = Option(
    "names of families, each with a step or model or a list of them",
    lambda value: (
        isinstance(value, dict)
        and all(TEXT.fits(each) or listing(TEXT).fits(each) for each in value.values())
    ),
)
FINDINGS: dict[str, Finding] = {
    "table": Finding(
        "one table of all runs: is their confidence deserved?",
        table.find,
        [SCORED],
        {"families": FAMILIES},
    ),
    "before-after": Finding("does calibration change?", before_after.find, [("compare",)]),
    "modality": Finding("surer of images, of text, of both?", modality.find, [("modality",)]),
    "trajectory": Finding("when does calibration change?", trajectory.find, [("trajectory",)]),
    "unknown": Finding("does it admit not knowing?", unknown.find, [("idk", "twins")]),
    "remedies": Finding("what do remedies change?", remedies.find, [("ranking", "prompts")]),
    "elsewhere": Finding("do remedies hold elsewhere?", elsewhere.find, [("transfer",)]),
    "temperatures": Finding("do temperatures differ?", temperatures.find, [SCORED]),
    "size-by-prompt": Finding("do larger models gain more?", size_by_prompt.find, [("score",)]),
    "measures": Finding("do measures agree?", measures.find, [("measures", "arms")]),
    "selective": Finding(
        "does calibration help decisions?",
        selective.find,
        [SCORED],
        {"accuracy": number(0.01, 0.999), "remedies": listing(one_of(*CALIBRATORS))},
    ),
}
