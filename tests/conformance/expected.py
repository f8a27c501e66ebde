"""What each family's checks have come to, so that what was right once stays right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conformance.suite import Outcome

FILE = Path(__file__).with_name("expected.json")


def read_expected() -> dict[str, Any]:
    """By family: how many checks there are, and which have another outcome than passed."""
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def write_expected(outcomes: Mapping[str, Outcome]) -> None:
    """Families that were not run keep what is known of them."""
    known = read_expected() if FILE.exists() else {}
    for name, outcome in outcomes.items():
        others = {c["name"]: c["outcome"] for c in outcome.checks if c["outcome"] != "passed"}
        known[name] = {"checks": len(outcome.checks), "not passed": others}
    FILE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def worse(outcome: Outcome, expected: Mapping[str, Any]) -> list[str]:
    """What has passed or been compared before, and is not any more; a line for each check."""
    found = [
        f"{check['name']}: {check['outcome']} ({check['error']}; {check['reason']})"
        for check in outcome.checks
        if check["outcome"] != "passed" and check["name"] not in expected["not passed"]
    ]
    if len(outcome.checks) < expected["checks"]:
        found.append(f"{len(outcome.checks)} checks were made, {expected['checks']} before")
    return found
