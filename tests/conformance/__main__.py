"""`python -m tests.conformance`: run families, print a line for each, write the results."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from tests.conformance.expected import write_expected
from tests.conformance.families import FAMILIES
from tests.conformance.suite import Outcome, run_families
from tests.conformance.table import write_table


def line(outcome: Outcome) -> str:
    counts = Counter(check["outcome"] for check in outcome.checks)
    said = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    first = next((c for c in outcome.checks if c["outcome"] in ("failed", "refused")), None)
    if first is None and not counts["passed"]:
        first = next(iter(outcome.checks), None)
    reason = f" | {first['name']}: {first['error'] or ''} {first['reason']}" if first else ""
    return f"{outcome.name:24} {outcome.seconds:5.0f} s  {said}{reason}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="family", help="default: all")
    parser.add_argument("--workers", type=int, default=2, help="families at a time")
    parser.add_argument(
        "--out", type=Path, help="write every record as JSON; families that are not run keep theirs"
    )
    parser.add_argument("--table", action="store_true", help="write the table of docs/models.md")
    parser.add_argument("--expect", action="store_true", help="write expected.json anew")
    parser.add_argument(
        "--packages", type=Path, default=os.environ.get("CONFORMANCE_PACKAGES"),
        help="a folder with torchvision and what else processors need (default: .torchvision)",
    )  # fmt: skip
    asked = parser.parse_args()
    unknown = [name for name in asked.families if name not in FAMILIES]
    if unknown:
        parser.error(f"family {unknown[0]!r}: expected one of {', '.join(FAMILIES)}")
    names = asked.families or list(FAMILIES)
    packages = None if asked.packages is None else Path(asked.packages)
    outcomes = run_families(
        names, asked.workers, packages, lambda outcome: print(line(outcome), flush=True)
    )
    if asked.out:
        if asked.out.exists():
            known = json.loads(asked.out.read_text())
            outcomes = {name: Outcome(**fields) for name, fields in known.items()} | outcomes
        rows = {name: asdict(outcomes[name]) for name in FAMILIES if name in outcomes}
        asked.out.write_text(json.dumps(rows, indent=1) + "\n")
    if asked.table:
        write_table(outcomes, {name: FAMILIES[name].images for name in outcomes})
    if asked.expect:
        write_expected(outcomes)


if __name__ == "__main__":
    main()
