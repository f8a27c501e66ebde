"""Results of studies that were never run, for their pages: every kind of figure and column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.drawn import BINS, NARROW

HOSTILE = "<script>alert(1)</script> *a* | b [c](d) $x$ {{ 7 * 7 }}"
LONG = "embedded/stage2-with-a-very-long-name/easy-vqa-letters/few_shot-of-three-examples"
COLUMNS = [
    ["run", "text"],
    ["n", "count"],
    ["accuracy", "percents"],
    ["confidence", "percent"],
    ["confidence − accuracy, points", "points"],
    ["ECE", "fixed"],
    ["Brier − first", "signed"],
    ["p, Holm", "p"],
    ["temperature", "interval"],
    ["difference", "signeds"],
]


def row(name: str, k: int = 0) -> list[Any]:
    """A value for each of ``COLUMNS``, others for each ``k``."""
    x = 0.01 * k
    accuracy, temperature = [0.425 + x, 0.3, 0.575 + x], [1.25 - x, 0.9, 1.75]
    tests = [0.0123 + x, [0.004 + x, k == 0]]
    difference = [-0.05 + x, -0.0912, -0.0088 + x]
    return [
        *(name, 1200 + k, accuracy, 0.66558 + x, 0.24058 - x, 0.33083 + x),
        *(*tests, temperature, difference),
    ]


def missing(name: str) -> list[Any]:
    """Nothing is known but the name."""
    none = [None, None, None]
    return [name, None, none, None, None, None, None, [None, False], none, none]


def table(*names: str, name: str = "runs", **more: Any) -> dict[str, Any]:
    rows = [row(each, k) for k, each in enumerate(names)]
    told = {"name": name, "title": "All runs", "columns": COLUMNS, "rows": rows, "note": "A note."}
    return {**told, **more}


def conclusion(about: str, verdict: str, said: str, claim: str = "C1") -> dict[str, Any]:
    return {"about": about, "verdict": verdict, "said": said, "claim": claim}


def over(name: str) -> dict[str, Any]:
    said = f"{name} is shown to be over-confident."
    return conclusion(f"{name}: over-confident", "shown", said)


def open_(name: str) -> dict[str, Any]:
    return conclusion(
        f"{name}: not shown", "not shown", f"{name} is not shown to be miscalibrated."
    )


def figure(kind: str, data: dict[str, Any], title: str = "A figure") -> dict[str, Any]:
    return {"kind": kind, "title": title, "caption": "What it shows.", "data": data}


def forest(rows: list[list[Any]], **more: Any) -> dict[str, Any]:
    return {"rows": rows, "unit": "points", "zero": 0.0, **more}


FOREST = forest(
    [
        ["stage1/words", 0.24, 0.07, 0.38],
        ["stage1/letters", -0.0, -0.05, 0.05],
        [LONG, -0.163, -0.258, -0.029],
        ["no interval", 0.1, None, None],
        ["nothing", None, None, None],
    ],
    groups=["first stage", "first stage", "second stage", "second stage", "second stage"],
)
MATRIX = {
    "rows": ["words", "letters", LONG],
    "columns": ["words", "letters", LONG],
    "values": [[0.0, -0.12, 0.3], [0.05, 0.0, None], [0.2, 0.1, 0.0]],
    "digits": 2,
    "signed": True,
    "marks": [[False, True, True], [False, False, False], [True, False, False]],
}
CURVES = {
    "series": [
        {
            "name": f"stage {k}",
            "x": [0, 250, 500, 900],
            "y": [0.8 - 0.1 * k, 0.7 - 0.1 * k, None, 0.4 - 0.05 * k],
            "low": [0.75 - 0.1 * k, None, None, 0.3 - 0.05 * k],
            "high": [0.85 - 0.1 * k, None, None, 0.5 - 0.05 * k],
        }
        for k in range(5)
    ],
    "x": "noise, step of 1,000",
    "y": "confidence",
    "unit": "percent",
}
DIAGRAMS = {"series": [{"name": f"run {k}", "rows": [BINS, NARROW][k % 2]} for k in range(5)]}
FIGURES = [
    figure("forest", FOREST, "Confidence − accuracy"),
    figure("matrix", MATRIX, "Transfer"),
    figure("curves", CURVES, "Over noise"),
    figure("diagrams", DIAGRAMS, "Reliability"),
]


def step(name: str, **more: Any) -> dict[str, Any]:
    told = {"name": name, "kind": "score", "page": f"../cache/{name}-0/run/report.html"}
    asked = {"options": {}, "seconds": 52.226, "prompts": 40, "answers": 0}
    return {**told, **asked, "refused": None, "date": "2026-11-28", **more}


STEPS = [
    step("scored/stage1"),
    step("sampled/stage1", kind="sample", answers=400, options={"samples": 10, "top_p": 0.9}),
    step(
        "moved",
        kind="transfer",
        page=None,
        prompts=0,
        seconds=0.06,
        refused="/runs/cache/score-1/stage2: transfer is judged on 50 questions, got 40",
    ),
]


def found(**more: Any) -> dict[str, Any]:
    names = ("stage1/words", "stage1/letters", "stage2/words", "stage2/letters")
    told = [over(names[0]), over(names[1]), open_(names[2]), open_(names[3])]
    nothing = {"tables": [table(*names)], "figures": [], "cautions": []}
    return {"conclusions": told, **nothing, **more}


def run(seed: int = 0, **more: Any) -> dict[str, Any]:
    return {"seed": seed, "steps": STEPS, "found": found(**more)}


def results(*runs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "format": "calib.study/1",
        "study": "first",
        "title": "Is it calibrated?",
        "question": "Are the two stages calibrated on words and letters?",
        "design": "Each stage is asked all questions twice.\n\nOnce in words.",
        "claims": ["C1"],
        "limits": "One size and one training seed.",
        "finding": "table",
        "quick": False,
        "runs": list(runs) or [run()],
        "file": "study: first\ntitle: Is it calibrated?\n",
        "name of file": "first.yaml",
        **more,
    }


def written(folder: Path, told: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    return folder
