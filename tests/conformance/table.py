"""The table of families in docs/models.md."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conformance.suite import ROOT, Outcome


def write_table(outcomes: Mapping[str, Outcome]) -> None:
    raise NotImplementedError(ROOT)
