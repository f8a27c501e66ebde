"""What a model does not know, and whether it says so: pure functions on counts and verdicts.

build     several samples of each item, judged -> how often right -> known or unknown at a threshold
arms      the ways of asking: plain, with permission not to know, with an option that says so
evaluate  one new answer per item and arm -> quadrants, rates with intervals, arms compared
export    rows to train on, rows to keep, and the card that says where they come from

A label belongs to one model, prompt and sampling setting, and from n draws it is an estimate. The
set stores the counts, so another threshold needs no new sampling. It follows
"Say I Don't Know" (OpenMOSS).
"""

from __future__ import annotations

from calib.idk.arms import ARMS, arm
from calib.idk.build import Draws, count, need, parts, sweep
from calib.idk.evaluate import QUADRANTS, Evaluation, Outcome, compare, evaluate, quadrant
from calib.idk.export import card, preference_rows, record_rows, sft_rows

__all__ = [
    "ARMS",
    "QUADRANTS",
    "Draws",
    "Evaluation",
    "Outcome",
    "arm",
    "card",
    "compare",
    "count",
    "evaluate",
    "need",
    "parts",
    "preference_rows",
    "quadrant",
    "record_rows",
    "sft_rows",
    "sweep",
]
