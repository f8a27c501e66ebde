"""Which option an answer names: read where the answer is that and nothing else."""

from __future__ import annotations

import pytest

from calib.records import InputError
from calib.tasks.files.marked_answer import marked_answer
from tests.clock import at_most

OPTIONS = {"A": "red", "B": "blue", "D": "dark blue"}

LABELS = [
    *("B", "b", " B\n", "(B)", "(b)", "B.", "B)", "B:", "(B).", "[B]", "<B>", "{B}", '"B"', "B!"),
    *("**B**", "*B*", "__B__", "**B.**", "**B**.", "**(B)**", "B", "(B)", "B．", "B)", "B。"),
    *("Option B", "option (B).", "Choice B", "Answer: B", "ANSWER: B.", "Answer B", "answer - B"),
    *("**Answer:** B", "**Answer: B**", "Answer: **B**", "Answer:B", "Answer:\nB", "Answer is B"),
    *(
        "The answer is B.",
        "The correct answer is (B)",
        "the answer is option B",
        "Answer: Option B",
    ),
    *("The best option is B.", "The answer is: B", "Final answer: B", "Answer: The answer is B."),
    *("My answer is B", "B is correct.", "B is the correct answer.", "(B) is right", "答案:B"),
    *("The correct option is **B**.", "Correct answer: B", "答案是B。"),
]
TEXTS = [
    *("B. blue", "(B) blue", "B) Blue.", "B: BLUE", "B - blue", "B blue", "B.blue", "(B)blue"),
    *("**B.** blue", "**B. blue**", "**B. blue.**", "Answer: B. blue", "The answer is B. blue."),
    *(
        "blue",
        "Blue.",
        "BLUE!",
        "**blue**",
        "Answer: blue",
        "The answer is blue.",
        "Option B: blue",
    ),
    *("B. blue is correct.", "B.  blue ", "blue is the right answer"),
]
EXPLAINED = [
    *("B\nRed is no colour; A is wrong.", "B.\n\nIt is (A) that is wrong.", "B\r\nSo it is."),
    *("The answer is B. BECAUSE: A is red.", "The answer is B.\nBecause (A) is red.", "blue\nSo."),
    *("Answer: B. blue because it is", "B because red is warm", "B, because A. red is warm"),
    *("B. blue\nLECTURE: A or B", "B. SOLUTION: not A", "B. blue Explanation: see (A)"),
    *("B Reason: the sky", "Answer: The answer is B. BECAUSE: a\nb\nc", "B. blue, because of A"),
    *("LECTURE: A.\nSOLUTION: (A) no.\n###\nANSWER: B.", "SOLUTION: so\n###\nANSWER: B."),
    *("###\nANSWER: B.", "The answer is blue, because A is red."),
]
READ = [*LABELS, *TEXTS, *EXPLAINED]

TWO = [
    *("A. red and B. blue", "A. red, B. blue", "A. red; B. blue", "A. red\nB. blue", "A\nB"),
    *("red\nblue", "red and blue", "red, blue", "A or B", "A/B", "AB", "A B", "A, B", "A and B"),
    *("(A)(B)", "(A) (B)", "(A), (B)", "A. B", "Both A and B", "A & B", "A+B", "A-B", "A|B", "A;B"),
    *("The answer is A or B.", "The answer is A. The answer is B.", "Answer: A Answer: B"),
    *("The answer is A, no, B.", "I think the answer is A. No wait, it is B.", "A. No, B."),
    *("A\nThat is why.\nThe answer is B.", "The answer is A.\nSorry: so.\nB. blue", "A. blue"),
    *(
        "B. red",
        "(A) blue",
        "The answer is B. red",
        "B. dark blue",
        "A (B)",
        "blue (A)",
        "A. red (B)",
    ),
]
DENIED = [
    *("A. red is wrong; the answer is B", "A. red is incorrect.", "The wrong answer is B", "Not A"),
    *("A is wrong", "A. red is not correct", "(A) is incorrect", "The answer is not A", "not red"),
    *("Neither", "None", "Neither A nor B", "Anything but A", "A?", "A. red?", "A isn't it", "A's"),
    *("A. Wrong.", "A, wrong", "A: no", "The answer A is wrong", "red is wrong", "A is correct?"),
]
OTHER = [
    *("", " ", "1", "C", "E.", "The answer is C.", "C. green", "maybe", "It flies.", "I think B"),
    *("It may be B", "It is so.\nThe answer is B.", "B since it is", "B (I think)", "redbecause A"),
    *(
        "reddish",
        "B-52",
        "B2",
        "Bblue",
        "Answer:",
        "The answer is",
        "(B",
        "[B)",
        "...",
        "LECTURE: B",
    ),
    *("Perhaps B.", "B if red is no colour", "B would be wrong", "blue green", "blueblue", "(blue"),
]
REFUSED = [*TWO, *DENIED, *OTHER]


def read(answer: str, options: dict[str, str] = OPTIONS) -> str:
    return [*options][marked_answer(answer, [*options], [*options.values()], "q.json, entry 1")]


def test_there_are_sixty_of_each():
    assert min(len(set(READ)), len(set(REFUSED))) >= 60


@pytest.mark.parametrize("answer", READ)
def test_read(answer: str):
    assert read(answer) == "B"


@pytest.mark.parametrize("answer", REFUSED)
def test_refused(answer: str):
    with pytest.raises(InputError, match=r"^q\.json, entry 1: answer ") as caught:
        read(answer)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "answer", "letter"),
    [
        ({"A": "f(A)", "B": "f(B)"}, "B. f(B)", "B"),
        ({"A": "f(A)", "B": "f(B)"}, "f(A)", "A"),
        ({"A": "red", "B": "red and white"}, "red and white", "B"),
        ({"A": "red", "B": "red because of heat"}, "red because of heat", "B"),
        ({"A": "red", "B": "red because of heat"}, "A. red because of rust", "A"),
        ({"A": "it is wrong", "B": "not A"}, "Not A.", "B"),
        ({"A": "cat", "B": "A dog"}, "A dog", "B"),
        ({"A": "3", "B": "3.5"}, "3.5", "B"),
        ({"A": "3", "B": "3.5"}, "A. 3.", "A"),
        ({"A": "Pa", "B": "pa"}, "pa", "B"),
        ({"A": "U.S.", "B": "U.K."}, "B. U.K.", "B"),
        ({"A": "Neither", "B": "Both A and C"}, "Neither", "A"),
        ({"A": "no", "B": "yes"}, "No.\nIt is so.", "A"),
        ({"A": "2**3", "B": "23"}, "23", "B"),
        ({"A": "A and B", "B": "A"}, "A. A and B", "A"),
        ({"A": "the cat and the mouse", "B": "x"}, "the cat\nand  the mouse", "A"),
        ({"A": "西", "B": "东"}, "B．东", "B"),
        ({"A": "B", "B": "A"}, "(B)", "B"),
        ({"A": "B", "B": "A"}, "The answer is B.", "B"),
        ({"A": "Option B", "B": "x"}, "A. Option B", "A"),
    ],
)
def test_texts_that_look_like_answers(options: dict[str, str], answer: str, letter: str):
    assert read(answer, options) == letter


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"A": "B", "B": "A"}, "B"),
        ({"A": "B", "B": "A"}, "A B"),
        ({"A": "dog", "B": "a dog"}, "a dog"),
        ({"A": "Option B", "B": "x"}, "Option B"),
        ({"A": "Pa", "B": "pa"}, "PA"),
        ({"A": "Pa", "B": "pa"}, "B. Pa"),
        ({"A": "red", "B": "red because of heat"}, "A. red because of heat"),
        ({"A": "red", "B": "red and white"}, "A. red and white"),
    ],
)
def test_texts_of_two_readings(options: dict[str, str], answer: str):
    with pytest.raises(InputError, match="answer "):
        read(answer, options)


LONG = 1_000_000
TEXT = "red " * (LONG // 4)


@pytest.mark.parametrize(
    "answer",
    [
        *("answer " * 140_000, "the answer is A. " * 60_000, "A" + " " * LONG + "x"),
        *("A. " * 330_000, "A" + "." * LONG, "A" + "\n" * LONG, "*" * LONG, "A\n" * 500_000),
        *("red because " * 80_000, "A is " + "\t" * LONG + "right", "(" * LONG, TEXT),
        *("Answer: " * 125_000, "A. " + TEXT),
        *("\uff21" * LONG, "**A** " * 160_000, "answer" + " " * LONG, "###\n" * 250_000),
    ],
    ids=range(18),
)  # fmt: skip
def test_long_answers_take_linear_time(answer: str):
    with at_most(2):  # two readings; a quarter of it here; quadratic: minutes
        for options in (OPTIONS, {"A": TEXT + "x", "B": TEXT + "y"}):
            try:
                read(answer, options)
            except InputError as error:
                assert len(str(error)) < 500
