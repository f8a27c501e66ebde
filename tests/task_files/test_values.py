"""Every column with every wrong value; what pads lists; what may be said in several ways."""

from __future__ import annotations

from typing import Any

import pytest

NAN = float("nan")
TEXTS = (
    *("id", "question", "answer", "group", "cluster", "hint", "context", "lecture"),
    *("instruction", "ask_for_text", "reasoning", "thinking"),
)
NO_TEXT = [["a", "b"], [["a"]], {"a": 1}, [None, "a"], [1], {"text": "a"}]
NO_LIST = ["a", 5, 0.5, True, {"a": 1}, {"A": "red", "C": "blue"}]
BAD_LISTS = [
    *([None, "a"], ["a", NAN, "b"], ["a", None, "b", None], ["a", {"b": 1}], ["a", [["b"]]]),
    *(["a", ["b", None, "c"]], ["a", float("inf")], ["a", [None, "b"]], ["a", [{}]]),
]
WRONG = [
    *((name, value) for name in TEXTS for value in NO_TEXT),
    *((name, value) for name in ("options", "spellings") for value in (*NO_LIST, *BAD_LISTS)),
    *(("aliases", value) for value in ({"a": 1}, *BAD_LISTS[:5], ["", "a"], ["a", " "])),
    *(("images", value) for value in (5, 0.5, True, {"a": 1}, {"path": 5}, {"bytes": [1]}, [5])),
    *(("images", value) for value in ([None, "a"], [["a"]], ["a", "", "b"], {"path": 1, "x": 1})),
    *(("answerable", value) for value in (2, 0.5, "maybe", "none", [False], {"a": 1}, "n/a")),
    *(("idk", value) for value in (-1, 3, 0.5, 1.5, True, "A", "x", [1], {"a": 1})),
    *(("answer_index", value) for value in (-1, 3, 0.5, 1.5, True, "A", [1], {"a": 1}, "٣")),
    *(
        ("turns", value)
        for value in ("a", 5, ["a"], [["a"]], [["a", "b", "c"]], [["a", None, "b"]])
    ),
    *(("turns", value) for value in ({"a": 1}, [{"from": "human"}], [None, ["a", "b"]])),
    *(("meta", value) for value in ("a", 5, True, ["a"], [["answerable", False]])),
]


@pytest.mark.parametrize(("column", "value"), WRONG)
def test_a_value_of_a_wrong_type(row_refusal, column: str, value: Any):
    said = row_refusal(**{column: value})
    assert column in said


@pytest.mark.parametrize("value", [*NO_LIST[1:4], *BAD_LISTS[:5], {"text": ["a", "b"]}])
def test_choices_of_a_wrong_type(row_refusal, value: Any):
    assert row_refusal(options=None, choices=value).startswith("choices: ")


@pytest.mark.parametrize("nothing", [None, NAN, "", "  ", [], [None], [NAN, None], {}])
def test_nothing_is_as_good_as_no_column(read_row, nothing: Any):
    columns = ("image", "group", "cluster", "hint", "aliases", "spellings", "answerable", "idk")
    item = read_row(**dict.fromkeys(columns, nothing))
    assert (item.images, item.group, dict(item.meta)) == ((), None, {})


@pytest.mark.parametrize("pads", [[None], [NAN], [None, NAN, None]])
def test_nulls_that_pad_the_end_of_a_list(read_row, pads: list[Any]):
    item = read_row(
        options=["red", ["green", "Green", *pads], *pads],
        images=["1.png", *pads],
        aliases=["viridian", *pads],
    )
    assert item.options == ("red", "green")
    assert item.meta["spellings"] == (("red",), ("green", "Green"))
    assert item.meta["aliases"] == ("viridian",)
    assert [path.name for path in item.images] == ["1.png"]
    item = read_row(options=["yes", "no"], spellings=[["yes", *pads], ["no"], *pads])
    assert item.meta["spellings"] == (("yes",), ("no",))


@pytest.mark.parametrize(
    "flat", [["yes", "no"], [["yes"], ["no"]], ["yes", ["no"]], ["yes", "no", None]]
)
def test_a_flat_list_of_spellings_holds_whole_words(read_row, flat: list[Any]):
    item = read_row(options=["yes", "no"], spellings=flat)
    assert item.meta["spellings"] == (("yes",), ("no",))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"spellings": ["red", "green"]}, "spellings of 2 options, but there are 3"),
        ({"spellings": ["r", "g", "b", "x"]}, "spellings of 4 options, but there are 3"),
        ({"spellings": [["r"], ["g"], ["b", "r"]]}, "'r' counts as 'red' and as 'blue'"),
        ({"spellings": [["r"], ["g"], [" "]]}, "has no text"),
        ({"spellings": [["r"], ["g"], []]}, "has no text"),
        ({"options": None, "aliases": ["x"], "spellings": ["r"]}, "but there are 0"),
        ({"options": ["red", "green", " "]}, "has no text"),
        ({"options": ["red", "\u200b", "blue"]}, "has no text"),
        ({"options": ["red", "green", "\u3000"]}, "has no text"),
        ({"options": ["red"]}, "expected two or more options, got ['red']"),
        ({"options": None}, "options is missing (or aliases"),
        ({"options": [["yes", "Yes"], "no"], "spellings": ["y", "n"]}, "keep one list"),
    ],
)
def test_options_that_nobody_could_tell_apart(row_refusal, columns: dict[str, Any], words: str):
    assert words in row_refusal(**columns)


FALSE = [False, "false", "False", "FALSE", "no", "No", 0, 0.0, "0", "0.0", " false "]
TRUE = [True, "true", "TRUE", "yes", 1, 1.0, "1", "1.0"]


@pytest.mark.parametrize("said", FALSE)
def test_ways_to_say_that_nobody_can_know(read_row, said: Any):
    for columns in ({"answerable": said}, {"meta": {"answerable": said}}, {"Answerable ": said}):
        item = read_row(answer=None, **columns)
        assert item.meta == {"answerable": False}
        assert (item.answer, len(item.options)) == (None, 3)
        free = read_row(answer=None, options=None, **columns)
        assert (free.options, free.answer, free.meta) == ((), None, {"answerable": False})
        assert read_row(answer="", aliases=[], **columns).meta == {"answerable": False}


@pytest.mark.parametrize("said", TRUE)
def test_ways_to_say_that_it_can_be_known(read_row, row_refusal, said: Any):
    assert read_row(answerable=said).meta == {"answerable": True}
    assert row_refusal(answerable=said, answer=None).startswith("answer is missing")
    assert row_refusal(answerable=said, options=None).startswith("options is missing")


def test_an_unanswerable_row_may_have_an_answer(read_row, row_refusal):
    assert read_row(answerable=False, answer="C").answer == 2
    assert "neither a letter" in row_refusal(answerable=False, answer="purple")


def test_entries_of_meta_are_columns(read_row, row_refusal):
    with pytest.warns(UserWarning, match="no question uses the column 'source'"):
        item = read_row(meta={"group": "g", "hint": "h", "source": [1]}, hint="h")
    assert (item.group, item.meta) == ("g", {"hint": "h", "source": [1]})
    assert "hint is 'x' and meta.hint is 'y'" in row_refusal(hint="x", meta={"hint": "y"})
    assert "source is 1 in the row and 2 in its meta" in row_refusal(source=1, meta={"source": 2})


def test_white_space_inside_options_is_theirs(read_row):
    code = ("if x:\n  y()\nz()", "if x:\n  y()\n  z()", "if x: y(); z()")
    assert read_row(options=code, answer="A").options == code


def test_turns_are_pairs(read_row):
    item = read_row(turns=[["Is it red?", "yes"], ["How many?", 2], None])
    assert item.meta["turns"] == (("Is it red?", "yes"), ("How many?", "2"))


def test_free_rows(read_row):
    item = read_row(options=None, answer="Paris", aliases=["Lutetia", "Paris", None])
    assert (item.options, item.answer) == ((), None)
    assert item.meta == {"aliases": ("Paris", "Lutetia")}
    assert read_row(options=[], answer=None, aliases="Paris").meta == {"aliases": ("Paris",)}
    assert read_row(options=None, answer=7, aliases=[7.0]).meta == {"aliases": ("7", "7.0")}


@pytest.mark.parametrize(
    "options",
    [
        ["red", "green", "red"],
        ["red", "green", " red"],
        ["red", "green", "red\n"],
        ["caf\u00e9", "green", "cafe\u0301"],
    ],
)
def test_letters_tell_equal_options_apart(read_row, row_refusal, options: list[str]):
    for columns in ({"answer": "C"}, {"answer_index": 2}, {"answer_letter": "c"}):
        with pytest.warns(UserWarning, match=r"two options are the same text in 1 \(line 1\)"):
            item = read_row(options=options, **({"answer": None} | columns))
        assert (item.answer, item.options) == (2, tuple(options))
    said = row_refusal(options=["red", "green", "red"], answer="red")
    assert "'A' where 'red' is meant or 'C' where 'red' is meant" in said
    assert "'red' counts as 'red' and as 'red'" in row_refusal(
        options=["red", "green", "red"], spellings=["red", "green", "red"]
    )


@pytest.mark.parametrize(
    "options",
    [
        {"A": "red", "B": "green"},
        {"a": "red", "b": "green", "c": None},
        {"B": "green", "A": "red"},
        "['red', 'green']",
        "[\"red\", 'green', ]",
        ' ["red", "green"] ',
        "['red',\n 'gr\\u0065en']",
    ],
)
def test_options_by_letters_and_as_texts_of_python(read_row, options: Any):
    for answer in ("green", "B", 1):
        item = read_row(options=options, answer=answer)
        assert (item.options, item.answer) == (("red", "green"), 1)


@pytest.mark.parametrize(
    "options",
    [
        *({"A": "red", "C": "blue"}, {"B": "red", "C": "blue"}, {"A": "red", "a": "x"}, {"1": "x"}),
        *("['red' 'green']", "['red', 5]", "['red', ['x']]", "[f'red', 'green']", "['red'"),
        *("[b'red', 'green']", "['red'] + ['x']", "[" * 5_000, "['red', # x\n 'green']", "[x, y]"),
        *("red, green", "['red'," * 30_000, "(['red'])", "['\\ud800', 'x']"),
    ],
)
def test_what_only_looks_like_options(row_refusal, options: Any):
    assert row_refusal(options=options).startswith("options: expected a list")


WORDS = {
    True: ["wahr", "vrai", "ja", "Oui", "verdadero", "sí"],
    False: ["falsch", "faux", "nein", "NON", "falso"],
}


@pytest.mark.parametrize("word", [*WORDS[True], *WORDS[False]])
def test_answerable_in_other_languages(read_row, word: str):
    assert read_row(answerable=word).meta == {"answerable": word in WORDS[True]}
