"""``calib fit``: calibrators fitted, ranked and exported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib.cli.arguments import one_of
from calib.cli.base import Folder, Seed, out, show
from calib.records import InputError


def fit(
    run: Folder,
    evaluate: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Judge on this run; default: on questions of RUN that were not fitted to.",
        ),
    ] = None,
    calibrator: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="temperature, grouped, platt, isotonic, histogram, venn_abers, vector; all ranks "
            "them.",
        ),
    ] = "temperature",
    method: Annotated[
        str,
        typer.Option(metavar="NAME", help="Temperature: exact, or grid of 0.01 to 9.99."),
    ] = "exact",
    in_sample: Annotated[
        bool,
        typer.Option("--in_sample", help="Let RUN and --evaluate share questions. Default: no."),
    ] = False,
    output_path: Annotated[
        Path | None,
        typer.Option(
            "--output_path",
            metavar="FILE",
            help="Where to write it; default: RUN/NAME.json, with all RUN/calibrators.json and "
            "its page in calibrators/.",
        ),
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Also as processor, generation_config, decision, vllm or openai takes it; "
            "default: not.",
        ),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Fit a calibrator; judge it on other questions."""
    from calib.calibrators.export import EXPORTS, OF_TOKENS
    from calib.calibrators.export import export as exported
    from calib.calibrators.facts import HOLDS, OPTIONS, STATED
    from calib.calibrators.grouped import GroupedTemperature
    from calib.calibrators.registry import CALIBRATORS
    from calib.fields import refuse_irregular
    from calib.models.letters import PAPER
    from calib.report.letters import FITTED
    from calib.report.remedies import temperature_lines, temperature_span
    from calib.runs import open_run
    from calib.runs.durable import refuse_no_folder
    from calib.summary.remedies import fit_runs

    one_of("--calibrator", calibrator, (*CALIBRATORS, "all"))
    one_of("--method", method, ("exact", "grid"))
    if export is not None:
        one_of("--export", export, EXPORTS)
    for flag, value, default in (("--method", method, "exact"), ("--export", export, None)):
        if calibrator != "temperature" and value != default:
            raise InputError(
                f"{flag}: it is the temperature's, and goes with no other --calibrator"
            )
    opened = open_run(run, "calib fit")
    name = "calibrators" if calibrator == "all" else calibrator
    path = output_path or opened.path / f"{name}.json"
    refuse_no_folder(path.parent)
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    refuse_irregular(path)
    if calibrator != "temperature":
        ranked(run, evaluate, calibrator, path, seed, in_sample)
        return
    refuse_hot(opened.config.get("temperature"), export)
    fitted, results = fit_runs(run, evaluate, method=method, seed=seed, in_sample=in_sample)
    if export is not None and results["confidence"] == STATED:
        raise InputError(
            f"--export: expected {HOLDS[OPTIONS]}, of which tokens have some, and {run} holds "
            f"{HOLDS[STATED]}"
        )
    fitted.save(path, facts=results["facts"])
    by_type = isinstance(fitted, GroupedTemperature)
    if opened.config.get("protocol") == PAPER:
        out.print(f"{FITTED}\n")
    if results["reason"] is not None:
        out.print(f"{results['reason']}\n")
    if isinstance(fitted, GroupedTemperature):
        out.print("\n".join(["T of each type of question:", *fitted.words(), ""]))
    elif fitted.n_fit_:
        out.print(f"T = {fitted.temperature_:.3f}{temperature_span(results)}\n")
    if fitted.n_fit_:
        head = f"on {results['n_judged']:,} questions", "as it is", "at T", "p"
        show(head, temperature_lines(results))
    out.print(f"\n{path}", soft_wrap=True)
    if export is not None:
        text, written = exported(fitted, export, path)
        about = EXPORTS[export].about_types if by_type else EXPORTS[export].about
        out.print(f"\n{about}:\n\n{text}\n\n{OF_TOKENS}", soft_wrap=True)
        if written is not None:
            out.print(f"\n{written}", soft_wrap=True)


def refuse_hot(temperature: float | None, export: str | None) -> None:
    """InputError where T was not fitted to the model's own scores, which others divide."""
    if export is not None and temperature not in (None, 1.0):
        raise InputError(
            f"--export: expected a run scored at temperature 1, whose logits other programs "
            f"divide, got one at {temperature:g}"
        )


def ranked(
    run: Path, evaluate: Path | None, calibrator: str, path: Path, seed: int, in_sample: bool
) -> None:
    """Rank calibrators, or one against none, and save what was fitted."""
    import json

    from calib.calibrators.registry import CALIBRATORS
    from calib.report.ranking import ranking_head, ranking_rows, ranking_words
    from calib.report.ranking_page import folder_beside, write_ranking
    from calib.runs.durable import replace
    from calib.summary.ranking import rank_runs

    folder = folder_beside(path) if calibrator == "all" else None
    names = list(CALIBRATORS) if calibrator == "all" else [calibrator]
    ranking, fitted, facts = rank_runs(run, evaluate, names, seed=seed, in_sample=in_sample)
    out.print(f"Judged on {ranking['n']:,} questions ({ranking['judged on']}):\n")
    show(ranking_head(ranking), ranking_rows(ranking))
    out.print("\n" + "\n".join(ranking_words(ranking)) + "\n")
    written = [path]
    if folder is not None:
        stated = {**ranking, "facts": facts}
        replace(path, json.dumps(stated, indent=2) + "\n")
        written.append(write_ranking(stated, folder))
        for best in ranking["better"][:1]:
            own = f"{best}.json" if path.stem == "calibrators" else f"{path.stem}-{best}.json"
            written.append(fitted[best].save(path.parent / own, facts=facts))
    elif calibrator not in fitted:
        raise InputError(f"--calibrator {calibrator}: {ranking['not_fitted'][calibrator]}")
    else:
        out.print("".join(f"{line}\n" for line in fitted[calibrator].words()))
        fitted[calibrator].save(path, facts=facts)
    for each in written:
        out.print(str(each), soft_wrap=True)
