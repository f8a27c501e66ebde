"""items.html: what is written for each kind of run, and how little of it is read at once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from calib import cli
from calib.images import size_of
from calib.judge import verdicts
from calib.records import CalibError, InputError
from calib.report.items import write_items, writer
from calib.runs import open_run
from calib.uncertainty.measures import label
from calib.uncertainty.side_by_side import side_by_side
from tests import sampled


def read(path: Path):
    """The JSON of a data file, as a page is handed it."""
    text = path.read_text(encoding="utf-8")
    name, value = text.removeprefix("calibItems(").removesuffix(");\n").split(",", 1)
    assert json.loads(name) == path.stem
    return json.loads(value)


def index_of(folder: Path):
    return read(folder / "items" / "index.js")


def rows_of(folder: Path):
    names = sorted((folder / "items").glob("[0-9]*.js"))
    return [row for name in names for row in read(name)]


def content(folder: Path) -> dict[str, bytes]:
    files = [folder / "items.html", *sorted((folder / "items").rglob("*.*"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def pictured(tmp_path, make_run):
    """A run of three hundred questions about a hundred pictures, of which two are alike."""
    folder = make_run(tmp_path / "run", n=300)
    rows = list(map(json.loads, (folder / "records.jsonl").read_text().splitlines()))
    for k in range(100):
        Image.new("RGB", (16, 16), (max(k, 1), 0, 0)).save(folder / f"of-{k}.png")
    for row in rows:
        row["images"] = [f"of-{row['index'] % 100}.png"]
    rows[7]["images"].append("gone.png")
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_every_question_is_there_as_the_records_have_it(tmp_path, make_run):
    folder = make_run(tmp_path, n=450)
    run = open_run(folder)
    assert write_items(run) == folder / "items.html"
    index, rows, records = index_of(folder), rows_of(folder), run.rows()
    assert index["starts"] == [0, 200, 400]
    assert index["ids"] == [row["id"] for row in rows] == [row["id"] for row in records]
    assert index["states"] == "".join("r" if row["correct"] else "w" for row in records)
    for k, (row, record) in enumerate(zip(rows, records, strict=True)):
        assert row["confidence"] == index["confidence"][k] == record["confidence"]
        assert index["groups"][index["group"][k]] == row["group"] == record["group"]
        assert row["question"] == record["question"]
        assert index["words"][k] == " ".join(record["question"].split())[:80]
        assert [text for text, _, _ in row["options"]] == record["options"]
        assert [prob for _, prob, _ in row["options"]] == record["prob"]
        roles = {role: text for text, _, role in row["options"] if role}
        expected = {"given": row["given"], "gold": row["gold"]}
        assert roles == ({"both": row["gold"]} if record["correct"] else expected)
        assert row["gold"] == record["options"][record["answer"]]


def test_records_of_several_processes_in_any_order_stand_in_the_order_of_the_questions(
    tmp_path, make_run
):
    folder = make_run(tmp_path, n=40)
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records-0.jsonl").write_text("".join(lines[::-2]))
    (folder / "records-1.jsonl").write_text("".join(lines[::2][::-1]) + '{"id": "torn')
    (folder / "records.jsonl").unlink()
    prompts = [
        json.dumps({"id": f"q{k:04d}", "text": f"asked {k}", "images": []}) for k in range(40)
    ]
    (folder / "prompts.jsonl").write_text("\n".join(prompts) + "\n")
    write_items(open_run(folder))
    rows = rows_of(folder)
    assert [row["id"] for row in rows] == [f"q{k:04d}" for k in range(40)]
    assert [row["prompt"] for row in rows] == [f"asked {k}" for k in range(40)]


def test_a_prompt_stands_beside_its_own_question_only(tmp_path, make_run):
    """Of an unfinished run whose prompts are of all questions, one under another id."""
    folder = make_run(tmp_path, n=6)
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records.jsonl").write_text(lines[1] + lines[3] + lines[4])
    ids = ["q0000", "q0001", "q0002", "another", "q0004", "q0005"]
    prompts = [json.dumps({"id": id, "text": f"asked {id}", "images": []}) for id in ids]
    (folder / "prompts.jsonl").write_text("\n".join(prompts) + "\n")
    write_items(open_run(folder))
    told = {row["id"]: row.get("prompt") for row in rows_of(folder)}
    assert told == {"q0001": "asked q0001", "q0003": None, "q0004": "asked q0004"}


def test_what_cannot_be_judged_is_neither_right_nor_wrong(tmp_path, make_run):
    folder = make_run(tmp_path, n=4)
    rows = list(map(json.loads, (folder / "records.jsonl").read_text().splitlines()))
    rows[0] |= {"answer": None, "correct": None}
    rows[1] |= {"valid": False, "confidence": None, "prob": [None] * len(rows[1]["options"])}
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_items(open_run(folder))
    index = index_of(folder)
    assert index["states"][:2] == "uu" and "u" not in index["states"][2:]
    assert index["confidence"][1] is None
    assert "gold" not in rows_of(folder)[0]


def test_long_questions_make_short_chunks(tmp_path, make_run):
    folder = make_run(tmp_path, n=5)
    text = "<" * 300_000  # six bytes each, as it is written
    prompts = [json.dumps({"id": f"q{k:04d}", "text": text, "images": []}) for k in range(5)]
    (folder / "prompts.jsonl").write_text("\n".join(prompts) + "\n")
    write_items(open_run(folder))
    assert index_of(folder)["starts"] == [0, 1, 2, 3, 4]
    assert [row["prompt"] for row in rows_of(folder)] == [text] * 5


def test_it_is_written_again_the_same_and_what_is_stale_is_removed(pictured):
    write_items(open_run(pictured))
    before = content(pictured)
    written = {path: path.stat().st_mtime_ns for path in pictured.glob("items/pictures/*")}
    (pictured / "items" / "0002.js").write_text("old")
    (pictured / "items" / "mine.txt").write_text("a user's")
    (pictured / "items" / "pictures" / f"{'ab' * 8}.png").write_text("old")
    (pictured / "items" / "pictures" / f"{'cd' * 8}.new").write_text("of a killed process")
    write_items(open_run(pictured))
    assert content(pictured) == before | {"items/mine.txt": b"a user's"}
    assert {path: path.stat().st_mtime_ns for path in pictured.glob("items/pictures/*")} == written


def test_each_picture_once_and_the_surest_wrong_answers_first(pictured):
    write_items(open_run(pictured), pictures=3)
    index, rows = index_of(pictured), rows_of(pictured)
    assert index["pictures"]["distinct"] == 101 and index["pictures"]["most"] == 3
    wrong = [row for row, state in zip(rows, index["states"], strict=True) if state == "w"]
    wrong.sort(key=lambda row: -row["confidence"])
    first = list(dict.fromkeys(row["pictures"][0][1] for row in wrong))[:3]
    names = {number: name for row in rows for number, name in row["pictures"]}
    kept = {names[int(number)]: file for number, file in index["pictures"]["files"].items()}
    assert kept.pop("gone.png") is None and list(kept) == first
    for name, file in kept.items():
        copy = pictured / "items" / "pictures" / file
        assert copy.read_bytes() == (pictured / name).read_bytes()
    assert len(list(pictured.glob("items/pictures/*"))) == 3
    write_items(open_run(pictured))
    index = index_of(pictured)
    files = {names[int(number)]: file for number, file in index["pictures"]["files"].items()}
    assert files["gone.png"] is None and files["of-0.png"] == files["of-1.png"]
    assert len(files) == 101 and len(list(pictured.glob("items/pictures/*"))) == 99
    write_items(open_run(pictured), pictures=0)
    assert list(index_of(pictured)["pictures"]["files"].values()) == [None]  # gone, not left out
    assert not list(pictured.glob("items/pictures/*"))


def test_a_large_picture_is_scaled_down(pictured):
    Image.effect_noise((1200, 900), 80).save(pictured / "of-5.png")
    write_items(open_run(pictured))
    sizes = Counter(map(size_of, pictured.glob("items/pictures/*")))
    assert sizes == {(16, 16): 98, (512, 384): 1}


def test_of_a_writing_that_is_stopped_no_index_is_left(tmp_path, make_run, monkeypatch):
    folder = make_run(tmp_path, n=10)
    write_items(open_run(folder))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "call", full)
    with pytest.raises(CalibError, match=r"items: it could not be written \(No space left"):
        write_items(open_run(folder))
    assert not (folder / "items" / "index.js").exists()


def test_a_file_in_the_folders_place_is_refused(tmp_path, make_run):
    folder = make_run(tmp_path, n=3)
    (folder / "items").write_text("a user's")
    with pytest.raises(InputError, match="expected a folder"):
        write_items(open_run(folder))
    assert (folder / "items").read_text() == "a user's"


def test_the_samples_stand_in_their_clusters_with_the_reports_measures(tmp_path):
    texts = {**sampled.SAID, "not": ["I do not know.", "Rome", "Bern"]}
    run = open_run(sampled.make(tmp_path / "run", texts))
    write_items(run)
    index, rows = index_of(run.path), {row["id"]: row for row in rows_of(run.path)}
    items = {item.id: item for item in run.items()}
    for id, letter in zip(index["ids"], index["states"], strict=True):
        (verdict,) = verdicts(items[id], texts[id][:1])
        assert letter == ("r" if verdict.correct else "f" if verdict.refused else "w")
        assert rows[id]["judged"][0] == texts[id][0]
    assert index["states"] == "rwf" and index["called"] == "samples that agree"
    assert rows["known"]["clusters"] == [[["Rome", "right"], ["Rome.", "right"]]]
    assert rows["guessed"]["clusters"] == [[["Bern", "wrong"]], [["Paris", "wrong"]]]
    assert [rows[id]["confidence"] for id in texts] == [1.0, 0.5, 0.5]
    shown = [measure["label"] for measure in side_by_side(run)["measures"]]
    assert [name for name, _ in rows["known"]["measures"]] == shown
    values = dict(rows["guessed"]["measures"])
    assert values[label("disagreement")] == 0.5 and values[label("logprob")] == pytest.approx(0.2)


def test_an_imported_table_needs_no_questions(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("confidence,correct\n" + "0.9,1\n0.8,0\n0.7,1\n" * 20)
    ran = CliRunner().invoke(
        cli.app, ["report", str(table), "--output_path", str(tmp_path / "run")]
    )
    assert ran.exit_code == 0, ran.output
    index, rows = index_of(tmp_path / "run"), rows_of(tmp_path / "run")
    assert index["states"] == "rwr" * 20 and index["words"] == [] and index["groups"] == []
    assert set(rows[0]) == {"id", "state", "confidence"}


def test_nothing_is_written_for_a_histogram(tmp_path, make_run):
    folder = make_run(tmp_path, n=3, kind="histogram")
    assert write_items(open_run(folder)) is None
    assert not (folder / "items").exists() and not (folder / "items.html").exists()


def test_the_command_says_how_many_pictures(pictured, tmp_path):
    def report(*arguments):
        return CliRunner().invoke(cli.app, ["report", *map(str, arguments)])

    assert report(pictured, "--pictures", 4).exit_code == 0
    assert len(list(pictured.glob("items/pictures/*"))) == 4
    assert report(pictured).exit_code == 0
    assert len(list(pictured.glob("items/pictures/*"))) == 99
    (tmp_path / "idk").mkdir()
    (tmp_path / "idk" / "results.json").write_text('{"format": "calib.idk.evaluation/1"}')
    refused = report(tmp_path / "idk", "--pictures", 4)
    assert refused.exit_code == 2 and "--pictures goes with a run of questions" in refused.output
