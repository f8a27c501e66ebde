"""The report: complete, self-contained, and written again from the records alone."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from calib.intervals import wilson
from calib.report.formats import count, fixed, percent, points, pvalue, within
from calib.report.page import tied
from calib.report.pictures import picture
from calib.report.remedies import remedy
from calib.report.scores import write_report
from calib.report.words import caveats, headline, verdict
from calib.runs import open_run
from tests.browser import measured
from tests.page import Page


@pytest.fixture(scope="module")
def report(tmp_path_factory, make_run):
    run = open_run(make_run(tmp_path_factory.mktemp("run")))
    write_report(run)
    return run


def test_the_first_prompt_stands_in_both_reports(tmp_path, make_run):
    folder = make_run(tmp_path)
    text = "<|user|>\n<image>```\n<script>alert(1)</script> {{ 7 * 7 }}\n" + "more\n" * 200
    row = {"id": "<b>", "text": text, "images": [[640, 480]]}
    (folder / "prompts.jsonl").write_text(json.dumps(row) + "\n")
    write_report(open_run(folder))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "question &#39;&lt;b&gt;&#39;, 1 picture: 640 x 480" in page
    shown = html.escape(text[:60], quote=False)
    assert f'<pre tabindex="0" dir="auto">\n{shown}' in page and "... 104 more lines</pre>" in page
    assert page.count("<script") == 1, "the page's own"
    said = (folder / "report.md").read_text(encoding="utf-8")
    # An indented block is shown as it is; a fence could be ended by the prompt.
    assert "\n\n    <|user|>\n    <image>```\n    <script>alert(1)</script> {{ 7 * 7 }}\n" in said
    assert "    ... 104 more lines\n\n" in said


def test_runs_without_prompts_have_no_such_part(report):
    for name in ("report.html", "report.md"):
        assert "What the model was asked" not in (report.path / name).read_text(encoding="utf-8")


def test_the_page_is_whole_and_asks_nobody_for_anything(report):
    page = Page()
    page.feed((report.path / "report.html").read_text(encoding="utf-8"))
    assert not page.open
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    for tag, attributes in page.tags:
        assert tag not in ("iframe", "object", "embed")
        for name in ("src", "xlink:href"):
            assert attributes.get(name, "data:").startswith(("data:", "#")), (tag, attributes)
        href = attributes.get("href", "data:")
        if not href.startswith(("data:", "#")):
            assert tag == "a" and (report.path / href.partition("#")[0]).is_file(), attributes
    style = re.findall(r"<style>(.*?)</style>", (report.path / "report.html").read_text(), re.S)
    assert not any("@import" in text or re.search(r"url\((?!#)", text) for text in style)


def test_text_from_the_data_stays_text(report):
    page = (report.path / "report.html").read_text(encoding="utf-8")
    assert page.count("<script>") == 1, "the page's own"
    assert "&lt;script&gt;" in page
    assert "a/&lt;model&gt;" in page


def test_ten_mistakes_with_their_pictures(report):
    page = Page()
    page.feed((report.path / "report.html").read_text(encoding="utf-8"))
    results = json.loads((report.path / "results.json").read_text())
    shown = sum(tag == "article" for tag, _ in page.tags)
    gone = sum("gone.png" in item["images"][0] for item in results["mistakes"])
    assert shown == len(results["mistakes"]) == 10
    assert sum(tag == "img" for tag, _ in page.tags) == 10 - gone
    confidences = [item["confidence"] for item in results["mistakes"]]
    assert confidences == sorted(confidences, reverse=True)
    frame = report.scores()
    assert confidences[0] == frame.confidence[~frame.correct].max()


def test_every_metric_says_how_it_was_counted(report):
    results = json.loads((report.path / "results.json").read_text())
    expected = {
        "ece", "mce", "rmsce", "ence", "ence_bernoulli", "ace", "classwise_ece", "smooth_ece",
        "brier", "nll", "auroc", "aurc", "accuracy", "parse_rate", "mass", "tie_rate",
    }  # fmt: skip
    assert expected <= set(results["metrics"])
    for name, entry in results["metrics"].items():
        assert entry["n"] == 400, name
        assert entry["convention"], name
        assert entry["low"] is None or entry["low"] <= entry["high"], name
    for name in ("ece", "mce", "rmsce", "ence", "ence_bernoulli"):
        assert {"bins", "closed", "strategy", "expected", "p"} <= set(results["metrics"][name])
    ece = results["metrics"]["ece"]
    assert (ece["bins"], ece["closed"], ece["strategy"]) == (15, "left", "width")


def test_numbers_agree_with_the_records(report):
    results = json.loads((report.path / "results.json").read_text())
    frame = report.scores()
    metrics = results["metrics"]
    assert metrics["accuracy"]["value"] == pytest.approx(frame.correct.mean(), abs=1e-12)
    assert metrics["parse_rate"]["value"] == pytest.approx(frame.parsed.mean(), abs=1e-12)
    assert metrics["mass"]["value"] == pytest.approx(frame.mass.mean(), abs=1e-12)
    assert metrics["nll"]["value"] == pytest.approx(
        -np.mean([np.log(p[a]) for p, a in zip(frame.prob, frame.answer, strict=True)]), abs=1e-12
    )
    brier = [
        sum((v - (k == a)) ** 2 for k, v in enumerate(p))
        for p, a in zip(frame.prob, frame.answer, strict=True)
    ]
    assert metrics["brier"]["value"] == pytest.approx(np.mean(brier), abs=1e-12)
    for line in results["groups"]:
        part = frame[frame.group == line["group"]]
        assert line["n"] == len(part)
        assert line["accuracy"] == pytest.approx(part.correct.mean(), abs=1e-12)
    assert sum(row["n"] for row in results["diagram"]["rows"]) == 400


def test_deleted_files_come_back_the_same(report):
    names = ("results.json", "report.html", "report.md")
    before = {name: (report.path / name).read_bytes() for name in names}
    for name in names:
        (report.path / name).unlink()
    write_report(report)
    assert {name: (report.path / name).read_bytes() for name in names} == before
    assert not list(report.path.glob(".*"))


def test_the_markdown_twin_has_the_same_numbers_in_whole_tables(report):
    text = (report.path / "report.md").read_text(encoding="utf-8")
    results = json.loads((report.path / "results.json").read_text())
    for entry in results["metrics"].values():
        assert f"| {entry['label']} | {fixed(entry['value'], 4)} |" in text
    block: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            block.append(re.sub(r"\\\|", "", line))
        elif block:
            assert len({row.count("|") for row in block}) == 1, block
            assert len(block) >= 2
            assert re.fullmatch(r"[|: -]+", block[1])
            block = []


def test_few_questions_and_one_group_still_make_a_report(tmp_path, make_run):
    run = open_run(make_run(tmp_path, n=1))
    page = write_report(run).read_text(encoding="utf-8")
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["temperature"] is None
    assert "By group" not in page
    assert results["metrics"]["auroc"]["value"] is None


def test_large_pictures_are_scaled_down(tmp_path):
    noise = np.random.default_rng(0).integers(256, size=(900, 1200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    Image.fromarray(noise).save(tmp_path / "odd.bmp")
    Image.new("RGB", (8, 8)).save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert len(picture(tmp_path, "large.png")["uri"]) < 500_000
    assert picture(tmp_path, "odd.bmp")["uri"].startswith("data:image/jpeg")
    assert picture(tmp_path, "small.png")["small"]
    for name in ("broken.png", "absent.png"):
        assert picture(tmp_path, name)["uri"] is None
        assert name in picture(tmp_path, name)["missing"]


def test_verdicts_follow_the_corrected_p_and_the_gap():
    numbers = {"n": 100, "accuracy": 0.7, "ece": 0.1, "expected": 0.05, "p": 0.001}

    def told(confidence: float, holm: float, at_most: bool = False) -> str:
        own = {"confidence": confidence, "gap": confidence - 0.7, "holm": holm, "at_most": at_most}
        return verdict({**numbers, **own})

    assert told(0.8, 0.06).startswith("No miscalibration is shown.")
    assert "over-confident" in told(0.8, 0.01)
    assert "under-confident" in told(0.6, 0.01)
    assert "in places" in told(0.701, 0.01)
    assert "(p ≤ 0.010)" in told(0.8, 0.01, at_most=True)


def bin_of(n: int, correct: int, confidence: float = 0.996, planned: int = 0) -> dict[str, Any]:
    low, high = wilson(correct, n)
    return {
        "counts": {"total": n, "planned": planned or n},
        "overall": {"n": n, "confidence": confidence, "accuracy": correct / n},
        "metrics": {"accuracy": {"low": low, "high": high}},
        "diagram": {
            "rows": [
                {"n": 0},
                {
                    "n": n,
                    "correct": correct,
                    "confidence": confidence,
                    "accuracy_low": low,
                    "accuracy_high": high,
                },
            ]
        },
    }


def test_a_headline_never_rounds_to_certainty():
    """683 of 684, as the demo has it; all of 50; and two questions."""
    told = headline(bin_of(684, 683))
    assert "says about 99.6\u00a0%" in told and "683 times of 684" in told
    assert "99.18\u00a0% to 99.97\u00a0%" in told
    told = headline(bin_of(50, 50, confidence=1.0 - 1e-9))
    assert "about over 99.999" not in told and "at least 93\u00a0%" in told
    assert "over 99.999\u00a0%" in told
    assert headline(bin_of(2, 1)) == "2 questions are too few to say what its confidence is worth."
    for right in (684, 683, 600, 0):
        assert "100\u00a0%" not in headline(bin_of(684, right))


def test_without_a_full_bin_the_average_is_told():
    few = bin_of(200, 200, confidence=0.7)
    few["diagram"]["rows"] = [{**few["diagram"]["rows"][1], "n": 40} for _ in range(5)]
    told = headline(few)
    assert told == (
        "On average it says about 70\u00a0%, and it is right 200 times of 200 (95 % interval at "
        "least 98\u00a0%)."
    )
    told = headline({**few, "facts": {"kind": "imported"}})
    assert told.startswith("The confidence is about 70\u00a0% on average, and 200 of 200 are right")


def test_bounds_are_equally_precise():
    assert within(0.9918, 0.99974) == "99.18\u00a0% to 99.97\u00a0%"
    assert within(0.2, 0.31) == "20\u00a0% to 31\u00a0%"
    assert within(0.2, 1.0) == "at least 20\u00a0%"


def test_numbers_keep_their_signs_on_the_line():
    told = tied("(p = 0.03), p ≤ 0.01, 95 % interval, p value")
    assert told == "(p\u00a0=\u00a00.03), p\u00a0≤\u00a00.01, 95\u00a0% interval, p value"


def test_a_metric_that_is_not_finite_has_no_p(tmp_path, make_run):
    run = open_run(make_run(tmp_path, n=60))
    lines = (tmp_path / "records.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows:  # certain of every answer: the Bernoulli variance is zero
        row["prob"] = [float(k == row["prediction"]) for k in range(len(row["prob"]))]
        row["logprob"] = [0.0 if p else None for p in row["prob"]]
        row |= {"mass": 1.0, "parsed": True}
        row |= dict.fromkeys(("confidence", "confidence_options", "confidence_vocab"), 1.0)
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_report(run)
    metrics = json.loads((tmp_path / "results.json").read_text())["metrics"]
    assert metrics["ence_bernoulli"]["value"] is None and "p" not in metrics["ence_bernoulli"]
    assert metrics["confidence"]["low"] is None and "same on all" in metrics["confidence"]["method"]


def test_an_unfinished_run_says_so_first():
    assert headline(bin_of(60, 50, planned=800)).startswith("Unfinished, 60 of 800: When it says")
    assert headline(bin_of(38, 38, planned=40)).startswith("Unfinished, 38 of 40: 38 questions are")


TESTS = {
    name: {"label": name, "value": -0.1, "p": 0.01, "holm": holm, "least_p": 0.0}
    for name, holm in (("debiased_rmsce", 0.4), ("brier", 0.06), ("nll", 0.03))
}


def test_a_remedy_claims_what_its_tests_show():
    fitted = {"value": 0.456, "low": 0.4, "high": 0.52, "tests": TESTS}
    told = remedy({"temperature": fitted, "temperature_kept": None})
    assert "0.46 (95 % interval 0.40 to 0.52)" in told
    assert "On the other half it lowers nll (p = 0.030)." in told
    assert "brier" not in told
    none = {**fitted, "tests": {name: {**test, "holm": 0.2} for name, test in TESTS.items()}}
    told = remedy({"temperature": none, "temperature_kept": None})
    assert "no improvement is shown" in told and "lowers" not in told
    kept = remedy({"temperature": None, "temperature_kept": "15 questions are fewer than 50"})
    assert kept == "It is given no temperature: 15 questions are fewer than 50."


def test_what_a_reader_must_know_first_is_said():
    fine = {
        "counts": {"total": 10, "scored": 10, "without_answer": 0, "invalid": 0},
        "overall": {"mass": 0.9, "guess": 0.25},
        "metrics": {"accuracy": {"low": 0.3}},
        "temperature": None,
    }
    assert caveats(fine) == []
    counts = {"total": 10, "scored": 7, "without_answer": 2, "invalid": 1}
    bad = {"degenerate": True, "reason": "because"}
    first, second, third = caveats(
        {**fine, "counts": counts, "overall": {"mass": 0.01, "guess": 0.25}, "temperature": bad}
    )
    assert "1.0\u00a0%" in first
    assert "3 of 10" in second
    assert "because" in third
    (guess,) = caveats({**fine, "metrics": {"accuracy": {"low": 0.2}}})
    assert "a guess, which is right 25.0\u00a0%" in guess


def test_number_formats():
    assert percent(0.1234, 1) == "12.3\u00a0%"
    assert points(-0.0123) == "−1.2"
    assert points(0.5) == "+50.0"
    assert fixed(None) == percent(None) == count(None) == pvalue(None) == "–"
    assert pvalue(0.0) == "< 0.001"
    assert pvalue(0.0, at_most=True) == pvalue(0.0, True, True) == "< 0.001"
    assert pvalue(0.002, relation=True, at_most=True) == "≤ 0.002"
    assert pvalue(0.02, relation=True) == "= 0.020"
    assert count(12345) == "12,345"


@pytest.mark.parametrize("width", [1280, 400])
def test_in_a_browser(report, width, open_page):
    seen = measured(open_page(report.path / "report.html", width).page)
    assert seen["width"] == width
    assert seen["scroll"] <= width, "the page scrolls sideways"
    assert not seen["wide"]
    assert not seen["broken"]
    assert seen["figures"] == 6
    assert min(seen["small"]) >= 9, "the smallest text of a figure is unreadable"


def test_dark_is_dark(report, open_page):
    def brightness(scheme):
        seen = measured(open_page(report.path / "report.html", scheme=scheme).page)
        return sum(map(int, re.findall(r"\d+", seen["face"])))

    assert brightness("light") > 700
    assert brightness("dark") < 100
