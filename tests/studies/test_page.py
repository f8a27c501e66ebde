"""The page of a study: what it says, and shows, of a results.json that holds anything."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from calib.records import InputError
from calib.report.formats import Linked
from calib.report.kinds import Sources, write_again
from calib.report.study import write_study_report
from calib.report.study_words import answers, headline, stability, unstable
from tests.browser import axe, measured
from tests.studies import reported
from tests.studies.reported import (
    COLUMNS,
    FIGURES,
    HOSTILE,
    LONG,
    STEPS,
    conclusion,
    found,
    missing,
    open_,
    over,
    results,
    row,
    run,
    step,
    table,
    written,
)
from tests.twins import check_twins


def page_of(folder: Path, told: dict[str, Any]) -> Path:
    return write_study_report(written(folder, told)).parent


def table_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds, all kinds of figures, and a hostile text wherever a user's file has one."""
    names = [HOSTILE, LONG, "x"]
    figures = [
        *({**each, "title": HOSTILE, "caption": HOSTILE} for each in FIGURES),
        reported.figure("forest", reported.forest([[HOSTILE, 0.1, None, None]])),
    ]
    told = [over(HOSTILE), open_(LONG), open_("x")]
    steps = [
        step(HOSTILE, page=f"../cache/{HOSTILE}/report.html", options={HOSTILE: HOSTILE}),
        step("gone", page=None, refused=f"/runs/{HOSTILE}/run: {HOSTILE}"),
        step("odd", page="javascript:alert(1)//report.html"),
        step("far", page="//example.org/report.html"),
    ]
    tables = [table(*names, title=HOSTILE, note=HOSTILE), table(*names, name="../../steps")]
    first = {"seed": 0, "steps": steps, "found": found(conclusions=told, tables=tables)}
    first["found"] |= {"figures": figures, "cautions": [HOSTILE]}
    second = {"seed": 7, "steps": steps, "found": found(conclusions=told[1:], tables=tables)}
    texts = dict.fromkeys(("title", "question", "design", "limits", "study", "file"), HOSTILE)
    more = {**texts, "name of file": HOSTILE, "quick": True}
    return page_of(tmp_path_factory.mktemp("hostile") / "page", results(first, second, **more))


def test_hostile_texts_stay_texts(hostile: Path):
    check_twins(hostile)
    html = (hostile / "report.html").read_text(encoding="utf-8")
    assert html.count("<script") == 1 and "{{ 7 * 7 }}" in html
    assert 'href="javascript:' not in html and 'href="//' not in html
    assert {path.name for path in (hostile / "tables").iterdir()} == {
        *("conclusions.csv", "seeds.csv", "steps.csv", "nothing.csv", "facts.csv"),
        *("runs.csv", ".._.._steps.csv", "runs-seed-7.csv", ".._.._steps-seed-7.csv"),
    }
    assert [path.name for path in hostile.parent.iterdir()] == ["page"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_in_a_browser(hostile: Path, open_page: Any, width: int, scheme: str):
    opened = open_page(hostile / "report.html", width, scheme)
    seen = measured(opened.page)
    assert seen["scroll"] == width and not seen["wide"] and not seen["torn"]
    assert min(seen["small"]) >= 9 and seen["figures"] == 7
    assert axe(opened.page) == []


def test_a_page_is_written_again_as_it_was(tmp_path: Path):
    folder = page_of(tmp_path, results(run(figures=FIGURES)))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / "report.html").unlink()
    assert write_again(Sources(folder)) == folder / "report.html"
    assert {path: path.read_bytes() for path in before} == before


def test_csv_has_the_numbers_and_the_page_rounds_them(tmp_path: Path):
    rows = [row("a"), row("b", 3), missing("c")]
    folder = page_of(tmp_path, results(run(tables=[table(rows=rows)])))
    check_twins(folder)
    kept = table_of(folder, "runs")
    for told, line in zip(rows, kept, strict=True):
        for (name, _), value in zip(COLUMNS, told, strict=True):
            name = name.removesuffix(", points")
            if isinstance(value, list) and len(value) == 3:
                cells = [line[name], line[f"{name}, low"], line[f"{name}, high"]]
                assert cells == ["" if each is None else repr(each) for each in value]
            elif isinstance(value, list):
                p, at_most = value
                assert line[name] == ("" if p is None else "≤ 0.004" if at_most else repr(p))
            else:
                assert line[name] == ("" if value is None else str(value))
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert (
        "| a | 1,200 | 42.5 % (30.0 … 57.5 %) | 66.6 % | +24.1 | 0.331 | +0.0123 | ≤ 0.004 | "
        "1.250 (0.900 … 1.750) | −0.0500 (−0.0912 … −0.0088) |"
    ) in text.replace("\N{NO-BREAK SPACE}", " ")
    assert f"| c | {' | '.join('–' * 9)} |" in text


@pytest.mark.parametrize(
    ("conclusions", "said"),
    [
        ([], "No test decides anything here."),
        ([over("a")], "a is shown to be over-confident."),
        (
            [over("a"), open_("b")],
            "a is shown to be over-confident. b is not shown to be miscalibrated.",
        ),
        (
            [over("a"), open_("b"), over("c")],
            "Of 3 cases 2 are shown to be over-confident and 1 is not shown to be miscalibrated.",
        ),
        (
            [conclusion(str(k), "shown", f"{k}: it helps.") for k in range(3)]
            + [conclusion("d", "against", "d: it harms.")]
            + [conclusion("e", "not shown", "e: nothing.")],
            "Of 5 statements 3 are shown, 1 is contradicted and 1 is not shown.",
        ),
        (
            [conclusion("a", "against", "a: it harms.")]
            + [conclusion(str(k), "not shown", f"{k}: nothing.") for k in range(3)],
            "a: it harms. Of 4 statements no other is shown.",
        ),
        (
            [conclusion(str(k), "not shown", f"{k}: nothing.") for k in range(3)],
            "Of 3 statements none is shown.",
        ),
    ],
)
def test_the_headline(conclusions: list[dict[str, Any]], said: str):
    assert headline(found(conclusions=conclusions, tables=[])) == said


def test_statements_behind_a_colon_are_said_of_all():
    same = "a temperature is not shown to change it."
    told = [conclusion(f"{name}: it", "not shown", f"{name}: {same}") for name in "ab"]
    assert headline(found(conclusions=told)) == f"a and b: {same}"
    told = [conclusion(f"{name}: it", "shown", f"{name} lowers it.") for name in "ab"]
    assert headline(found(conclusions=told)) == "a lowers it. b lowers it."
    others = [over("c"), *(conclusion(str(k), "not shown", f"{k}: no.") for k in range(3))]
    assert headline(found(conclusions=told + others)).startswith("Of 6 statements 3 are shown")
    assert answers(found(conclusions=told + others))[:3] == [
        *("a lowers it.", "b lowers it.", "c is shown to be over-confident."),
    ]


def test_the_headline_calls_runs_what_the_table_does():
    assert headline(found()).startswith("Of 4 runs 2 are shown to be over-confident and 2 are not")


def test_the_answer_names_what_the_headline_counts():
    assert answers(found()) == [
        "stage1/words and stage1/letters are shown to be over-confident.",
        "stage2/words and stage2/letters are not shown to be miscalibrated.",
    ]
    many = [over(f"run {k}") for k in range(9)]
    (line,) = answers(found(conclusions=many))
    assert line == "run 0, run 1, run 2, run 3 and 5 more are shown to be over-confident."
    told = [conclusion(str(k), "shown", f"{k}: it helps (p = 0.00{k}).") for k in range(8)]
    assert answers(found(conclusions=told)) == [
        *(f"{k}: it helps (p = 0.00{k})." for k in range(5)),
        "3 more lines stand below.",
    ]
    assert answers(found(conclusions=told[:6]))[-1] == "1 more line stands below."
    assert answers(found(conclusions=told[:2])) == []


def test_seeds_that_agree_and_seeds_that_do_not(tmp_path: Path):
    same = [run(0), run(1)]
    assert stability([run()]) == "" and unstable(same) == []
    assert stability(same).startswith("No question or answer is drawn anew with the seeds 0 and 1")
    anew = [{**step, "page": f"another/{step['page']}"} for step in run(1)["steps"]]
    drawn = [same[0], {**same[1], "steps": anew}]
    assert stability(drawn) == "The seeds 0 and 1 conclude the same."
    other = [*found()["conclusions"][1:], open_("stage1/words")]
    runs = [*same, run(5, conclusions=other)]
    said = (
        "Unstable: the seeds 0, 1 and 5 do not conclude the same of stage1/words: over-confident "
        "and stage1/words: not shown."
    )
    assert stability(runs) == said
    folder = page_of(tmp_path, results(*runs))
    check_twins(folder)
    assert f'<p class="lead caveat">{said}' in (folder / "report.html").read_text()
    kept = {line["conclusion"]: line for line in table_of(folder, "seeds")}
    assert kept["stage1/words: over-confident"] == {
        **{"conclusion": "stage1/words: over-confident", "seed 0": "shown", "seed 1": "shown"},
        **{"seed 5": "", "same": "no"},
    }
    assert kept["stage2/words: not shown"]["same"] == "yes"
    assert len(table_of(folder, "runs-seed-5")) == len(table_of(folder, "runs")) == 4


def test_one_seed_says_nothing_of_seeds(tmp_path: Path):
    folder = page_of(tmp_path, results())
    text = (folder / "report.md").read_text()
    assert "another seed" not in text and "Unstable" not in text and "illustration" not in text
    assert not (folder / "tables" / "seeds.csv").exists()


def test_steps_and_what_they_came_to(tmp_path: Path):
    folder = page_of(tmp_path, results(run(), run(1)))
    steps = table_of(folder, "steps")
    assert [line["step"] for line in steps] == ["scored/stage1", "sampled/stage1", "moved"] * 2
    assert [line["seed"] for line in steps] == ["0"] * 3 + ["1"] * 3
    assert steps[1]["options"] == "samples 10; top p 0.9" and steps[1]["answers"] == "400"
    assert steps[2]["prompts"] == "0" and float(steps[0]["time, seconds"]) == 52.226
    html = (folder / "report.html").read_text()
    assert html.count('href="../cache/scored/stage1-0/run/report.html"') == 2
    # Seeds share the two steps that have a page: each is counted once, what has none for itself.
    assert "<b>80</b>" in html and "4 steps" in html and "<b>1 min 45 s</b>" in html
    (nothing,) = table_of(folder, "nothing")
    assert nothing == {
        "step": "moved",
        "with seed": "0, 1",
        "why": "stage2: transfer is judged on 50 questions, got 40",
    }
    (alone,) = table_of(page_of(tmp_path / "one", results(run(1))), "nothing")
    assert list(alone) == ["step", "why"]


def test_counts_of_at_most_say_so(tmp_path: Path):
    """On the page, in Markdown and in CSV; the sum too."""
    most = {**STEPS[1], "kind": "twins", "at_most": True}
    folder = page_of(tmp_path, results({**run(), "steps": [STEPS[0], most]}))
    exact, bounded = table_of(folder, "steps")
    assert (exact["prompts"], bounded["prompts"], bounded["answers"]) == ("40", "≤ 40", "≤ 400")
    html = (folder / "report.html").read_text()
    assert "<b>≤ 80</b>" in html and "prompts; ≤ 400 answers written" in html
    assert "| ≤ 40 |" in (folder / "report.md").read_text()


def test_a_study_without_conclusions_tables_and_figures(tmp_path: Path):
    nothing = {"seed": 0, "steps": [], "found": found(conclusions=[], tables=[])}
    more = {"design": "-", "limits": "", "claims": [], "file": ""}
    folder = page_of(tmp_path, results(nothing, **more))
    check_twins(folder)
    html = (folder / "report.html").read_text()
    assert "No test decides anything here." in html and "What it cannot say" not in html
    assert "no statement of it is decided by a test" in html


def test_a_quick_study_says_so_first(tmp_path: Path):
    html = (page_of(tmp_path, results(quick=True)) / "report.html").read_text()
    told = html.partition('class="headline"')[2]
    assert told.partition('<p class="lead')[2].startswith(' caveat">An illustration: few questions')


def test_what_is_no_study_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read as the results of calib study"):
        write_study_report(tmp_path)
    (tmp_path / "results.json").write_text(json.dumps({"format": "calib.study/9"}))
    with pytest.raises(InputError, match=r"expected a file with format 'calib.study/1'"):
        write_study_report(tmp_path)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("../cache/a b/report.html", "../cache/a%20b/report.html"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ('x" onclick="y', "x%22%20onclick%3D%22y"),
        ("a](b) ", "a%5D%28b%29%20"),
        ("//example.org", ""),
        ("/etc/passwd", ""),
        (None, ""),
    ],
)
def test_a_link_stays_relative(path: str | None, address: str):
    linked = Linked("name", path)
    assert linked == "name" and linked.address == address
