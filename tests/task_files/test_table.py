"""CSV as spreadsheets and pandas write it."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from calib.tasks.files import read_file

PLAIN = "id{0}question{0}A{0}B{0}answer\na{0}Which{0}x{0}y{0}B\n"


@pytest.mark.parametrize(
    "text",
    [
        *(PLAIN.format(delimiter) for delimiter in (",", ";", "\t")),
        "sep=;\n" + PLAIN.format(";"),
        "\n\r\n" + PLAIN.format(","),
        PLAIN.format(";").replace("\n", ";;;\n"),  # columns that a spreadsheet leaves
        PLAIN.format(",").replace("B\n", "B,,\n"),  # in the row alone
        PLAIN.format(",") + ",,,,\n\n , , , ,\n",
        "ID , Question, a , B,ANSWER \n a , Which , x , y , B \n",
        'id, question, A, B, answer\na, "Which", "x", "y", B\n',
        'id;question;A;B;answer\na;"Which";x;y;"B"\n',
        '"id","question","A","B","answer"\n"a","Which","x","y","B"\n',
        "id,question,A,B,C,D,answer\na,Which,x,y,,,B\n",
        "id,question,choice_a,choice_b,answer\na,Which,x,y,B\n",
        "id,question,choices,answerKey\na,Which,x|y,B\n",
        'id,question,options,answer\na,Which,"[""x"", ""y"", null]",y\n',
        "id,question,options,answer_index\na,Which,x|y,1\n",
        "id;question;options;answer;hint;aliases\na;Which;x|y;1;;\n",
    ],
)
@pytest.mark.parametrize("name", ["q.csv", "q.tsv"])
def test_ways_to_write_one_table(read, text: str, name: str):
    (item,) = read(name, text)
    assert (item.id, item.question, item.options, item.answer) == ("a", "Which", ("x", "y"), 1)
    assert item.meta == {}


def test_delimiters_inside_fields_do_not_count(read):
    text = 'id;question;A;B;answer\n1;"a, b, c, d; e";3,5;4,5;3,5\n2;a,b,c,d,e,f;x,1;y\tz;B\n'
    first, second = read("q.csv", text)
    assert (first.question, first.options, first.answer) == ("a, b, c, d; e", ("3,5", "4,5"), 0)
    assert second.options == ("x,1", "y\tz")


def test_a_comma_in_a_header_of_semicolons(read):
    with pytest.warns(UserWarning, match=r"no question uses the column 'id, old, and so on'"):
        (item,) = read("q.csv", "id;question;A;B;answer;id, old, and so on\n1;q;x;y;A;7\n")
    assert item.id == "1"


def test_spaces_stay_where_the_header_has_none(read):
    (item,) = read("q.csv", "id,question,A,B,answer\n1, q ,x y,z,A\n")
    assert item.question == " q "


def test_a_column_without_a_name_is_told_where_it_holds_something(read):
    with pytest.warns(UserWarning, match=r"no question uses the column ''$"):
        (item,) = read("q.csv", ",id,question,A,B,answer,\n0,a,q,x,y,A,\n")
    assert (item.id, item.meta) == ("a", {})


def test_lists_and_truth_values_in_fields(read, tmp_path: Path):
    text = (
        "id,question,A,B,answer,spellings,aliases,answerable,images\n"
        "1,q,yes,no,A,yes|no,,,a.png|b.png\n"
        '2,q,yes,no,A,"[[""yes"", ""Yes""], [""no""]]",ja|oui,TRUE,"[""a.png""]"\n'
        "3,q,yes,no,,,,False,\n"
    )
    first, second, third = read("q.csv", text)
    assert first.meta["spellings"] == (("yes",), ("no",))
    assert first.images == (tmp_path / "a.png", tmp_path / "b.png")
    assert second.meta["spellings"] == (("yes", "Yes"), ("no",))
    assert second.meta["aliases"] == ("ja", "oui")
    assert (second.meta["answerable"], second.images) == (True, (tmp_path / "a.png",))
    assert (third.answer, third.meta) == (None, {"answerable": False})


def test_free_questions_in_a_table(read):
    items = read("q.csv", 'id,question,aliases\n1,q,Paris|Lutetia\n2,q,"[""a|b""]"\n')
    assert [item.meta["aliases"] for item in items] == [("Paris", "Lutetia"), ("a|b",)]


@pytest.mark.parametrize("options", ["[0,1]|(0,1)", "{1, 2}|{2, 3}|x", "[0|1)"])
def test_brackets_that_are_no_list(read, options: str):
    (item,) = read("q.csv", f"id;question;options;answer\n1;q;{options};A\n")
    assert item.options == tuple(options.split("|"))


def test_fields_of_any_length_and_the_limit_of_the_process(read):
    before = csv.field_size_limit()
    long = "x" * 10_000_000
    (item,) = read("q.csv", f"id,question,A,B,answer\n1,{long},x,y,A\n")
    assert item.question == long
    with pytest.warns(UserWarning, match="no question uses the column 'xxx"):
        read("q.csv", f"id,question,A,B,answer,{long}\n1,q,x,y,A,\n")
    assert csv.field_size_limit() == before


def test_two_threads_read_long_fields(tmp_path: Path):
    paths = [tmp_path / f"{n}.csv" for n in range(4)]
    rows = "".join(f"{n},{'x' * 140_000},x,y,A\n" for n in range(60))
    for path in paths:
        path.write_text("id,question,A,B,answer\n" + rows)
    before = csv.field_size_limit()
    with ThreadPoolExecutor(4) as pool:
        assert [len(items) for items in pool.map(read_file, paths)] == [60] * 4
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name;frage\n1;q\n", "line 1: expected a header with id, question, options and answer; "),
        ("name;frage\n1;q\n", "the columns are 'name', 'frage'"),
        ("id;frage;A;B;answer\n1;q;x;y;A\n", "question is missing; the columns are 'id', 'frage'"),
        ("id|question|options|answer\n1|q|x|A\n", "the columns are 'id|question|options|answer'"),
        ("id,question,A,B,answer\n1,q,x,y\n", "line 2: it has not as many fields as the header"),
        ("id,question,A,B,answer\n1,q,x,y,A,,z\n", "7, not 5"),
        ("id,question,A,B,answer\n1,q,x,y,\n", "line 2: answer is missing"),
        ("id,question,A,B,C,answer\n1,q,x,,z,A\n", "line 2: an option before C is empty"),
        ("id,question,A,B,D,answer\n1,q,x,y,z,A\n", "line 2: an option before D is empty"),
        ("id,question,A,B,C,answer\n1,q,x,y,nan,A\n", "line 2: C is 'nan'"),
        ("id,question,A,B,C,answer\n1,q,x,y,NaN,A\n", "leave it empty"),
        ("id,question,A,B,answer,hint\n1,q,x,y,A,nan\n", "line 2: hint is 'nan'"),
        ("id,question,id,A,B,answer\n1,q,2,x,y,A\n", "line 1: the column 'id' appears twice"),
        ("id,question,A, a,answer\n1,q,x,y,A\n", "line 1: the column 'a' appears twice"),
        ("id,question,x,x,A,B,answer\n1,q,1,2,x,y,A\n", "the column 'x' appears twice"),
        ('id,question,A,B,answer\n1,q,x,y,A\n2,"q,x,y,A\n3,q,x,y,A\n', "line 3: this is not CSV"),
        ('id,question,A,B,answer\n1,"q" and,x,y,A\n', "line 2: this is not CSV"),
        ("id,question,options,answer\n1,q,\"['x', 5]\",A\n", "its texts in double quotes"),
        ("id,question,options,answer\n1,q,\"['x' 'y']\",A\n", "line 2: options: this is not JSON"),
        ("id,question,options,answer\n1,q,x|,A\n", "has no text"),
        ("id,question,options,answer\n1,q,x,A\n", "expected two or more options, got ['x']"),
        ("id,question,A,B,answer,spellings\n1,q,x,y,A,xy\n", "spellings of 1 options, but there"),
        ("id,question,A,B,answer,answerable\n1,q,x,y,A,maybe\n", "expected true or false"),
        ("id,question,A,B,answer,meta\n1,q,x,y,A,web\n", "meta: this is not JSON"),
        ('id,question,A,B,answer,meta\n1,q,x,y,A,"[1]"\n', "meta: expected an object"),
        ('id,question,A,B,answer\n1,"a\nb",x,y,A\n2,"c\nd",x,y,C\n', "line 4: answer 'C'"),
    ],
)
def test_a_table_that_is_not_whole(refusal, text: str, words: str):
    said = refusal("q.csv", text)
    assert said.startswith("q.csv, line ")
    assert words in said


@pytest.mark.parametrize("value", ["nan", "NaN", "<NA>"])
def test_the_advice_for_a_missing_hint_is_for_a_hint(refusal, value: str):
    said = refusal("q.csv", f"id,question,A,B,answer,hint\n1,q,x,y,A,{value}\n")
    assert said.endswith("leave it empty")


def test_an_option_named_nan_can_be_said(read):
    options = json.dumps(["NaN", "Infinity"]).replace('"', '""')
    (item,) = read("q.csv", f'id,question,options,answer\n1,q,"{options}",NaN\n')
    assert (item.options, item.answer) == (("NaN", "Infinity"), 0)


def test_texts_that_stand_for_nothing_elsewhere_are_texts_here(read):
    (item,) = read("q.csv", "id,question,A,B,C,answer\n1,q,None,null,N/A,None\n")
    assert item.options == ("None", "null", "N/A")
