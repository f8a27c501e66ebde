"""The report of a training run: calibration over its steps, from a checkpoint's history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.report import captions, plots
from calib.report.blocks import Block, Figure, Figures, Page, Section, Table, Text, Tile
from calib.report.facts import facts_section
from calib.report.formats import beginning, count, fixed, gap, percent
from calib.report.page import write_page
from calib.report.tables import GAP
from calib.summary.training import SAVED, Diagram, Training, read_training

DRAWN_SETS = 6
DRAWN_STEPS = 300
"""Evaluations of a set that are drawn; of more, evenly spaced ones and the last."""
LISTED = 500
"""Evaluations in the table; of more, the last."""

READ_WITH_CARE = (
    "Changes over steps are drawn and not tested: each evaluation asks about the same rows, and "
    "rows may depend on each other, as the tokens of one reply do. Dependent rows lift the ECE of "
    "a calibrated model further above zero than the floor says."
)
FLOOR = (
    "The floor is the ECE that so many independent rows with these confidences would have on "
    "average if every confidence were deserved: an ECE near it does not show miscalibration."
)


def write_training_report(folder: Path) -> Path:
    """Write the page of a checkpoint, or of an output folder's newest one, into ``folder``.

    Returns the path of report.html. Raises InputError as ``read_training`` does.
    """
    return write_page(folder, training_page(read_training(folder)))


def training_page(training: Training) -> Page:
    sets = training.sets
    last = {name: records[-1] for name, records in sets.items()}
    name, shown = max(last.items(), key=lambda pair: int(pair[1]["step"]))
    return Page(
        title=f"Calibration over {count(training.step)} steps of training",
        headline=headline(name, shown, len(last)),
        lead=[Text(FLOOR, "lead"), Text(READ_WITH_CARE, "lead")],
        tiles=[
            Tile("ECE", fixed(shown["ece"]), f"{fixed(shown['expected_ece'])} if calibrated"),
            Tile("accuracy", percent(shown["top1_accuracy"], 1), f"{count(shown['rows'])} rows"),
            Tile("mean confidence", percent(shown["confidence"], 1), f"at step {step(shown)}"),
            Tile("evaluations", count(sum(map(len, sets.values()))), sets_of(sets)),
        ],
        sections=list(sections(training)),
        footer=f"The numbers are in {one_line(training.path.name)}, in the state of its "
        "CalibrationCallback.",
    )


def headline(name: str, record: Mapping[str, Any], sets: int) -> str:
    floor = record["expected_ece"]
    expected = "" if floor is None else f", where {fixed(floor)} would be expected if calibrated"
    where = "" if sets == 1 else f" of {one_line(name)}"
    return (
        f"At step {step(record)} the ECE{where} is {fixed(record['ece'])} over "
        f"{count(record['rows'])} rows{expected}."
    )


def sets_of(sets: Mapping[str, Any]) -> str:
    return "of one set" if len(sets) == 1 else f"of {count(len(sets))} sets"


def sections(training: Training) -> Iterator[Section]:
    """The page's sections, in reading order."""
    sets = dict(list(training.sets.items())[:DRAWN_SETS])
    drawn = [
        steps_figure(k, name, records, training.trained)
        for k, (name, records) in enumerate(sets.items())
    ]
    yield Section("steps", "Calibration over steps", [*left_out(training), Figures(drawn)])
    if any(record["entropy"] is not None for records in sets.values() for record in records):
        yield Section("entropy", "How spread its predictions are", [Figures([entropy(sets)])])
    diagrams = [
        diagram_figure(k, name, sets[name][-1], training.diagrams[name])
        for k, name in enumerate(sets)
        if name in training.diagrams
    ]
    if diagrams:
        told = (
            f"Of the last evaluation. {captions.dots('rows')} The intervals are those of "
            "independent rows; rows that depend on each other would have wider ones."
        )
        yield Section("reliability", "Does it keep its word?", [Text(told), Figures(diagrams)])
    yield Section("evaluations", "Every evaluation", [evaluation_table(training)])
    yield facts_section(facts(training), "Facts")


def left_out(training: Training) -> Iterator[Block]:
    """What the figures do not show."""
    more = len(training.sets) - DRAWN_SETS
    if more > 0:
        yield Text(f"Drawn are the first {DRAWN_SETS} evaluation sets, not {more} more.", "caveat")
    if not training.trained:
        yield Text(
            "No measures of the rows trained on were logged; they are where the loss is a "
            "CalibratedCrossEntropy and the callback is bound.",
            "note",
        )


def steps_figure(
    number: int, name: str, records: Sequence[Mapping[str, Any]], trained: Sequence[Any]
) -> Figure:
    """ECE with its floor, confidence beside accuracy, of one evaluation set."""
    shown, title = thinned(records), one_line(name)
    drawing = plots.over_steps(shown, thinned(trained), measure="ece", stacked=True)
    if len(records) == 1:
        much = "The one evaluation"
    elif len(shown) < len(records):
        much = f"{count(len(shown))} of {count(len(records))} evaluations, the last among them"
    else:
        much = f"{count(len(records))} evaluations"
    rows = sorted({record["rows"] for record in records})
    each = count(rows[0]) if len(rows) == 1 else f"{count(rows[0])} to {count(rows[-1])}"
    return Figure(
        title,
        plots.svg(drawing, name=f"steps-{number}", label=f"{title}: calibration over steps"),
        f"{much}, of {each} rows.{floor_note(records)}",
    )


def floor_note(records: Sequence[Mapping[str, Any]]) -> str:
    if all(record["expected_ece"] is not None for record in records):
        return ""
    return " The floor is known only where it was recorded: earlier versions did not."


def entropy(sets: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    title = "Mean entropy over steps"
    drawing = plots.entropy_over_steps(
        {one_line(name, 24): thinned(records) for name, records in sets.items()}
    )
    return Figure(
        title,
        plots.svg(drawing, name="entropy", label=title),
        "Of the rows evaluated, in nats: zero is certainty of one class.",
    )


def diagram_figure(number: int, name: str, record: Mapping[str, Any], diagram: Diagram) -> Figure:
    title = one_line(name)
    note = f"ECE {fixed(diagram.ece)}\n{fixed(diagram.expected)} if calibrated"
    drawing = plots.reliability(diagram.bins, note=note, unit="rows")
    return Figure(
        title,
        plots.svg(drawing, name=f"reliability-{number}", label=f"{title}: {note}"),
        f"Step {step(record)}: {count(diagram.n)} rows in {len(diagram.bins)} bins of equal width.",
    )


def evaluation_table(training: Training) -> Table:
    records = training.evaluations
    shown = records[-LISTED:]
    notes = [
        "Expected: the floor. Accuracy: the likeliest class is the label. Gap: confidence minus "
        "accuracy, in points. Invalid rows had NaN logits or labels of no class, and are in no "
        "number."
    ]
    if any(record["name"] == SAVED for record in shown):
        notes.append(f"{SAVED}: all that was evaluated since the save before, taken together.")
    if training.repeats:
        notes.append(
            f"Left out: {count(training.repeats)} of {SAVED}, each with the numbers of the one "
            "evaluation since the save before."
        )
    if len(shown) < len(records):
        notes.insert(0, f"The last {count(len(shown))} of {count(len(records))} evaluations.")
    return Table(
        "evaluations",
        [
            *("set", "step", "epoch", "rows", "invalid", "ECE", "expected", "accuracy"),
            *("confidence", GAP, "entropy, nats"),
        ],
        [
            [
                one_line(record["name"]),
                step(record),
                fixed(record["epoch"], 2),
                count(record["rows"]),
                count(record["invalid"]),
                fixed(record["ece"]),
                fixed(record["expected_ece"]),
                percent(record["top1_accuracy"], 1),
                percent(record["confidence"], 1),
                gap(record["confidence"] - record["top1_accuracy"]),
                fixed(record["entropy"]),
            ]
            for record in shown
        ],
        " ".join(notes),
    )


def facts(training: Training) -> list[tuple[str, str]]:
    bins = sorted({record["bins"] for record in training.evaluations})
    return [
        ("read from", str(training.path)),
        ("steps", count(training.step)),
        ("evaluations and saves", count(len(training.evaluations) + training.repeats)),
        ("lines of training rows", count(len(training.trained))),
        ("bins of the ECE", f"{', '.join(map(str, bins))} of equal width, each [a, b)"),
    ]


def thinned(records: Sequence[Any]) -> list[Any]:
    """Evenly spaced records, the last among them, as many as a drawing can show."""
    every = -(-len(records) // DRAWN_STEPS)
    return list(records[::-1][:: max(1, every)][::-1])


def step(record: Mapping[str, Any]) -> str:
    return count(record["step"])


def one_line(text: str, characters: int = 80) -> str:
    """A name as a heading has room for it."""
    return beginning(" ".join(text.split()), lines=1, characters=characters)
