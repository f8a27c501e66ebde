"""A user's own questions: what is read from each kind of file, and what each refusal says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calib.records import InputError, Item
from calib.tasks.files import read_file

ROW = {"id": "a", "question": "Which?", "options": ["red", "green", "blue"], "answer": "green"}


@pytest.fixture
def read(tmp_path: Path):
    def write_and_read(name: str, text: str) -> tuple[Item, ...]:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_file(path)

    return write_and_read


def json_lines(*rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def test_json_lines(read, tmp_path: Path):
    row = {**ROW, "images": ["pics/1.png", "2.png"], "group": 7, "cluster": "c", "source": "web"}
    with pytest.warns(UserWarning, match=r"q\.jsonl: no question uses the column 'source'$"):
        (item,) = read("q.jsonl", json_lines(row))
    assert item == Item(
        id="a",
        question="Which?",
        images=(tmp_path / "pics/1.png", tmp_path / "2.png"),
        options=("red", "green", "blue"),
        answer=1,
        group="7",
        meta={"cluster": "c", "source": "web"},
    )


def test_json_lines_may_have_empty_lines_and_a_byte_order_mark(read):
    found = read("q.jsonl", "\ufeff" + json_lines(ROW) + "\n   \n" + json_lines({**ROW, "id": 0}))
    assert [item.id for item in found] == ["a", "0"]


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85"])
def test_only_line_feeds_end_a_json_line(read, mark: str):
    # JSON allows these inside a string, and json.dumps(ensure_ascii=False) writes them so.
    (item,) = read("q.jsonl", json_lines({**ROW, "question": f"This{mark}or that?"}))
    assert item.question == f"This{mark}or that?"


def test_an_absolute_image_path_stays(read, tmp_path: Path):
    (item,) = read("q.jsonl", json_lines({**ROW, "image": str(tmp_path / "x" / "1.png")}))
    assert item.images == (tmp_path / "x" / "1.png",)


def test_questions_about_one_image_are_one_cluster(read):
    rows = [{**ROW, "id": i, "image": f"{i // 2}.png"} for i in range(4)]
    found = [item.meta["cluster"] for item in read("q.jsonl", json_lines(*rows))]
    assert found[0] == found[1] != found[2] == found[3]


@pytest.mark.parametrize("nothing", [None, "", []])
def test_questions_without_an_image_are_not_one_cluster(read, nothing: Any):
    rows = [{**ROW, "id": i, "image": nothing} for i in range(2)]
    for item in read("q.jsonl", json_lines(*rows)):
        assert item.images == ()
        assert "cluster" not in item.meta


def test_an_option_may_have_spellings(read):
    row = {**ROW, "options": [["yes", "Yes", "yeah"], "no"], "answer": "yes"}
    (item,) = read("q.jsonl", json_lines(row))
    assert item.options == ("yes", "no")
    assert item.meta["spellings"] == (("yes", "Yes", "yeah"), ("no",))
    assert item.answer == 0


@pytest.mark.parametrize(
    "text",
    [
        'id,question,options,answer,group\na,Which?,"red|green|blue",green,g\n',
        "id,question,options,answer,group\na,Which?,red | green | blue,green,g\n",
        'id,question,options,answer,group\na,Which?,"[""red"", ""green"", ""blue""]",green,g\n',
        "id,question,A,B,C,answer,group\na,Which?,red,green,blue,green,g\n",
        "id,question,A,B,C,D,answer,group\na,Which?,red,green,blue,,B,g\n",
        "answer,group,C,B,A,question,id\r\n1,g,blue,green,red,Which?,a\r\n",
        "\ufeffid,question,options,answer,group\na,Which?,red|green|blue,green,g\n\n",
    ],
)
def test_csv(read, text: str):
    (item,) = read("q.csv", text)
    assert (item.id, item.question, item.group) == ("a", "Which?", "g")
    assert item.options == ("red", "green", "blue")
    assert item.answer == 1


def test_csv_fields_may_span_lines_and_hold_commas(read):
    found = read("q.csv", 'id,question,A,B,answer\na,"One, two\nor three?",x,y,A\nb,Q,x,y,B\n')
    assert [item.question for item in found] == ["One, two\nor three?", "Q"]
    assert [item.answer for item in found] == [0, 1]


def test_csv_fields_may_hold_other_line_separators(read):
    (item,) = read("q.csv", "id,question,A,B,answer\na,This\u2028or that?,x,y,A\n")
    assert item.question == "This\u2028or that?"


def test_csv_images(read, tmp_path: Path):
    found = read(
        "q.csv", "id,question,A,B,answer,images\na,Q,x,y,A,1.png|2.png\nb,Q,x,y,A,\nc,Q,x,y,A,3.png"
    )
    assert [item.images for item in found] == [
        (tmp_path / "1.png", tmp_path / "2.png"),
        (),
        (tmp_path / "3.png",),
    ]


@pytest.mark.parametrize("answer", ["B", "b", "(B)", "B.", "B)", " b ", "green", "GREEN", 1, "1"])
def test_ways_to_write_the_second_option(read, answer: Any):
    assert read("q.jsonl", json_lines({**ROW, "answer": answer}))[0].answer == 1


@pytest.mark.parametrize(
    ("options", "answer", "index"),
    [
        (["No", "no"], "no", 1),  # as it is written goes before other case
        (["1", "0"], 1, None),  # the text "1" or the index 1
        (["1", "2", "3"], "2", None),  # the text "2" or the index 2
        (["0", "1"], "1", 1),  # both readings agree
        (["5", "6"], "6", 1),  # too large for an index
        (["B", "A"], "A", None),  # the text A or the letter A
        (["A", "B"], "B", 1),
        (["a", "x", "b"], "b", None),
        (["no", "NO"], "No", None),  # two texts but for case
    ],
)
def test_two_readings_must_agree(read, options: list[str], answer: Any, index: int | None):
    text = json_lines({**ROW, "options": options, "answer": answer})
    if index is None:
        with pytest.raises(InputError, match=r"q\.jsonl, line 1: answer"):
            read("q.jsonl", text)
    else:
        assert read("q.jsonl", text)[0].answer == index


@pytest.mark.parametrize("answer", ["D", "purple", 3, -1, "-1", 3.0, True, "1.5", "A and B", "AB"])
def test_an_answer_that_means_no_option_is_refused(read, answer: Any):
    with pytest.raises(InputError, match=r"line 1: answer .* is neither a .*'green'"):
        read("q.jsonl", json_lines({**ROW, "answer": answer}))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({k: v for k, v in ROW.items() if k != "answer"}, "answer is missing"),
        ({**ROW, "answer": None}, "answer is missing"),
        ({**ROW, "answer": "  "}, "answer is missing"),
        ({k: v for k, v in ROW.items() if k != "options"}, "options is missing"),
        ({**ROW, "options": []}, "options is missing"),
        ({**ROW, "options": "red, green"}, "options: expected a list"),
        ({**ROW, "options": {"B": "red"}}, "options: expected a list"),
        ({**ROW, "options": 3}, "options: expected a list"),
        ({**ROW, "options": ["red", ""]}, "has no text"),
        ({**ROW, "options": ["red", []]}, "has no text"),
        ({**ROW, "question": ""}, "question is missing"),
        ({k: v for k, v in ROW.items() if k != "id"}, "id is missing"),
        ([1, 2], "expected an object"),
        ("text", "expected an object"),
    ],
)
def test_a_wrong_row_is_named(read, row: Any, message: str):
    with pytest.raises(InputError, match=rf"q\.jsonl, line 3: .*{message}"):
        read("q.jsonl", json_lines(ROW) + "\n" + json_lines(row))


@pytest.mark.parametrize("line", ['{"id": "b", ', "{'id': 1}", "id: b", '{"id": 1} {"id": 2}'])
def test_a_line_that_is_not_json_is_named(read, line: str):
    with pytest.raises(InputError, match=r"q\.jsonl, line 2: this is not JSON") as caught:
        read("q.jsonl", json_lines(ROW) + line + "\n")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,question,A,B,answer\na,Q,x,y\n", "line 2: it has not as many fields"),
        ("id,question,A,B,answer\na,Q,x,y,A\nb,Q,x,y,A,more\n", "line 3: it has not as many"),
        ("id,question,A,B,answer\na,Q,x,y,\n", "line 2: answer is missing"),
        ("id,question,answer\na,Q,A\n", "line 2: options is missing"),
        ("id,question,A,B,answer\n", "it holds no questions"),
        ('id,question,options,answer\na,Q,"[x, y]",A\n', "line 2: options: this is not JSON"),
        ('id,question,A,B,answer\na,"Q\nQ",x,y,A\nb,Q,x,y,C\n', "line 4: answer 'C' is neither"),
        # Letter B is nobody's here: C must not slip into its place.
        ("id,question,A,B,C,answer\na,Q,x,,z,B\n", "line 2: "),
        ("id,question,A,B,answer\na," + "Q" * 200_000 + ",x,y\n", "line 2: "),
    ],
    ids=range(9),
)
def test_a_wrong_csv_row_is_named(read, text: str, message: str):
    with pytest.raises(InputError, match=rf"q\.csv.*{message}"):
        read("q.csv", text)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".json"])
@pytest.mark.parametrize("text", ["", "\n", " \n\n", "\ufeff"])
def test_an_empty_file_is_refused(read, suffix: str, text: str):
    with pytest.raises(InputError, match=rf"q\{suffix}: the file is empty"):
        read(f"q{suffix}", text)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path):
    with pytest.raises(InputError, match=r"gone\.csv: there is no such file"):
        read_file(tmp_path / "gone.csv")
    (tmp_path / "x.csv").write_bytes(b"id,question\n\xff\xfe\xfa")
    with pytest.raises(InputError, match=r"x\.csv: it cannot be read as text"):
        read_file(tmp_path / "x.csv")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match=r"folder\.json: it cannot be read"):
        read_file(tmp_path / "folder.json")


def test_an_id_given_twice_is_refused(tmp_path: Path):
    from calib.tasks import load_task

    path = tmp_path / "q.jsonl"
    path.write_text(json_lines(ROW, {**ROW, "id": "b"}, ROW))
    with pytest.raises(InputError, match=r"line 3: id 'a' appears 2 times, first in .*line 1"):
        load_task(path)
