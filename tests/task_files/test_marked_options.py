"""Options written into a question."""

from __future__ import annotations

import pytest

from calib.records import InputError
from calib.tasks.files.marked_options import marked_options
from tests.clock import at_most


def options_of(text: str) -> dict[str, str] | None:
    marked = marked_options(text, "here")
    return marked and dict(zip(marked.letters, marked.texts, strict=True))


MARKINGS = [
    *("({}) {}", "{}. {}", "{}) {}", "{}: {}", "[{}] {}", "{} - {}", "{}.{}", "({}){}"),
    *("  ({})  {} ", "**{}.** {}", "**{}**. {}", "**({})** {}", "**{}. {}**"),
    *("- {}. {}", "* ({}) {}", "• {}) {}", "（{}）{}", "{}．{}", "{}、{}", "{}：{}"),
]


@pytest.mark.parametrize("line", MARKINGS)
@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_markings_on_lines(line: str, case):
    texts = {"A": "red", "B": "dark blue", "C": "3.5"}
    listed = "\n".join(line.format(case(letter), text) for letter, text in texts.items())
    marked = marked_options(f"Which colour?\n{listed}", "here")
    assert marked is not None
    assert dict(zip(marked.letters, marked.texts, strict=True)) == texts
    assert (marked.question, marked.instruction) == ("Which colour?", "")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("is it?\nOptions: (A) west (B) east", {"A": "west", "B": "east"}),
        ("is it? Choices: A. x B. y", {"A": "x", "B": "y"}),
        ("is it?\nOptions: (B) cat (A) dog", {"B": "cat", "A": "dog"}),
        ("Which? Choices: A. west C. east D. south", {"A": "west", "C": "east", "D": "south"}),
        ("Which? (A) west (B) east", {"A": "west", "B": "east"}),
        ("Which? (B) west (A) east", {"B": "west", "A": "east"}),
        ("Which?\tA) x\tB) y", {"A": "x", "B": "y"}),
        ("Find x. A. 30° B. 45° C. 60°", {"A": "30°", "B": "45°", "C": "60°"}),
        ("Find x.\nA. 30° B. 45°\nC. 60° D. 90°", {"A": "30°", "B": "45°", "C": "60°", "D": "90°"}),
        ("Options: A. west B. east\nC. north", {"A": "west", "B": "east", "C": "north"}),
        ("the angle is ( ) A. 30° B. 40°", {"A": "30°", "B": "40°"}),
        ("Which? A. 3.5 B. 4.2", {"A": "3.5", "B": "4.2"}),
        ("the value: A. 3.5 B. 4.2 C. 5", {"A": "3.5", "B": "4.2", "C": "5"}),
        ("Is it so? (A)yes(B)no", {"A": "yes", "B": "no"}),
        ("Options: (A)yes(B)no(C)both", {"A": "yes", "B": "no", "C": "both"}),
        ("Options (A) yes (B) no", {"A": "yes", "B": "no"}),
        ("(A) yes (B) no", {"A": "yes", "B": "no"}),
        ("是吗？（A）是（B）否", {"A": "是", "B": "否"}),
        ("Options: (A) f(X) (B) f(B)", {"A": "f(X)", "B": "f(B)"}),
        ('He said "why?" (A) x (B) y', {"A": "x", "B": "y"}),
        ("(Is it so?) (A) x (B) y", {"A": "x", "B": "y"}),
        ("Which one is it! (A) x (B) y", {"A": "x", "B": "y"}),
        ("Which? A. x, B. y, C. z", {"A": "x", "B": "y", "C": "z"}),
        ("Which? (A) x; (B) y", {"A": "x", "B": "y"}),
        ("Which? A. B B. A", {"A": "B", "B": "A"}),
        ("Which? A. U.S. B. U.K.", {"A": "U.S.", "B": "U.K."}),
        ("At 10 A.M. (A) x (B) y", {"A": "x", "B": "y"}),
        ("Line (C) is parallel to what? (A) x (B) y", {"A": "x", "B": "y"}),
        ("哪个？A．西 B．东", {"A": "西", "B": "东"}),
        ("Choices: A. Vitamin A. It helps B. Iron", {"A": "Vitamin A. It helps", "B": "Iron"}),
    ],
)
def test_options_on_one_line(text: str, options: dict[str, str]):
    assert options_of(text) == options


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Which?\nA. west\nC. east\nD. south", {"A": "west", "C": "east", "D": "south"}),
        ("Which?\n(B) cat\n(A) dog", {"B": "cat", "A": "dog"}),
        ("Which?\nB. cat\nA. dog", {"B": "cat", "A": "dog"}),
        ("Which?\nC. cat\nA. dog\nB. cow", {"C": "cat", "A": "dog", "B": "cow"}),
        ("q?\nA. cat\n  and mouse\nB. dog", {"A": "cat and mouse", "B": "dog"}),
        ("q?\nA. cat\nB. the dog\nonly barks", {"A": "cat", "B": "the dog only barks"}),
        ("q?\nA. x\n\nB. y\n\nC. z", {"A": "x", "B": "y", "C": "z"}),
        ("q?\nA. U.S.\nB. U.A.E.", {"A": "U.S.", "B": "U.A.E."}),
        ("q?\nA. It ends. Then more.\nB. No.", {"A": "It ends. Then more.", "B": "No."}),
        (
            "q?\nA. Vitamin A. It helps\nB. Vitamin B.\nC. Vitamin C. No",
            {"A": "Vitamin A. It helps", "B": "Vitamin B.", "C": "Vitamin C. No"},
        ),
        ("q?\nA. f (a) and (b)\nB. g (a) or (c)", {"A": "f (a) and (b)", "B": "g (a) or (c)"}),
        ("Is it (a) or (b)?\nA. (a)\nB. (b)", {"A": "(a)", "B": "(b)"}),
        ("q?\nA. Choose it\nB. Please wait", {"A": "Choose it", "B": "Please wait"}),
        ("Let f(A) be.\nA. x\nB. y", {"A": "x", "B": "y"}),
    ],
)  # fmt: skip
def test_options_on_lines(text: str, options: dict[str, str]):
    assert options_of(text) == options


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("True?\nI. cats fly\nII. dogs\n(A) only I\n(B) only II", "True?\nI. cats fly\nII. dogs"),
        ("True?\nI. a\nII. b\nIII. c\nA. only I\nB. only II", "True?\nI. a\nII. b\nIII. c"),
        ("True?\ni. a\nii. b\na. only i\nb. only ii", "True?\ni. a\nii. b"),
        ("Who?\nI. have a hint: Dutch\nA. Rembrandt\nB. Vermeer", "Who?\nI. have a hint: Dutch"),
        ("I. have a hint\nA. Rembrandt\nB. Vermeer", "I. have a hint"),
        ("E. coli lives where?\nA. gut\nB. sea", "E. coli lives where?"),
        ("C. elegans has\nA. 302\nB. 12", "C. elegans has"),
        ("1. one\n2. two\nWhich?\nA. 1\nB. 2", "1. one\n2. two\nWhich?"),
        ("Q1?\n(A) x (B) y\nAnswer: A\nQ2?\n(A) p (B) q", "Q1?\n(A) x (B) y\nAnswer: A\nQ2?"),
        ("Q1?\nA. x\nB. y\nAnswer: A\nQ2?\nA. p\nB. q", "Q1?\nA. x\nB. y\nAnswer: A\nQ2?"),
        ("Answer with (A) or (B).\nWhich?\nA. x\nB. y", "Answer with (A) or (B).\nWhich?"),
        ("Context: N/A\nWhich?\nOptions: (A) x (B) y", "Context: N/A\nWhich?"),
        ("Which?\nOptions:\n\n(A) x\n(B) y", "Which?"),
        ("Which?\n**Choices:**\n(A) x\n(B) y", "Which?"),
        ("Which of the following options: (A) x (B) y", "Which of the following options:"),
        ("Which?\nA. x\nB. y\n\nHint: think", "Which?\nHint: think"),
        ("Which?\nA. x\nB. y\nHint: think", "Which?\nHint: think"),
    ],
)  # fmt: skip
def test_what_stands_before_and_after_stays(text: str, question: str):
    marked = marked_options(text, "here")
    assert marked is not None
    assert len(marked.texts) == 2
    assert (marked.question, marked.instruction) == (question, "")


@pytest.mark.parametrize("options", ["A. x\nB. y", "(A) x\n(B) y", "Options: (A) x (B) y"])
@pytest.mark.parametrize(
    "instruction",
    [
        "Answer with the option's letter from the given choices directly.",
        "Please answer with (A) or (B).",
        "Think it over.\nAnswer:",
        "Select the correct answer.",
    ],
)
@pytest.mark.parametrize("between", ["\n", "\n\n"])
def test_an_instruction_ends_the_options(options: str, instruction: str, between: str):
    marked = marked_options(f"Which?\n{options}{between}{instruction}", "here")
    assert marked is not None
    assert (marked.question, marked.texts) == ("Which?", ("x", "y"))
    assert marked.instruction == instruction


@pytest.mark.parametrize(
    ("after", "question", "instruction"),
    [
        ("\nHint: look at the sky", "q?\nHint: look at the sky", ""),
        ("\nHint: look\nAnswer with the letter.", "q?\nHint: look", "Answer with the letter."),
        ("\nAnswer with the letter.\nHint: look", "q?\nHint: look", "Answer with the letter."),
        ("Answer with the letter.\n\nNote: old", "q?\nNote: old", "Answer with the letter."),
        ("\nContext: a map. Please answer so.", "q?\nContext: a map.", "Please answer so."),
        ("\nHint: Please answer with the letter.", "q?", "Hint: Please answer with the letter."),
        ("\nIt is old.\nThink it over.\nAnswer:", "q?\nIt is old.", "Think it over.\nAnswer:"),
    ],
)
def test_only_what_asks_for_an_answer_is_the_instruction(
    after: str, question: str, instruction: str
):
    marked = marked_options(f"q?\nA. x\nB. y\n{after}", "here")
    assert marked is not None
    assert (marked.question, marked.instruction) == (question, instruction)


def test_an_instruction_in_the_line_of_the_options():
    marked = marked_options("Which? (A) x (B) y Answer with the option's letter.", "here")
    assert marked is not None
    assert (marked.texts, marked.instruction) == (("x", "y"), "Answer with the option's letter.")


@pytest.mark.parametrize(
    "text",
    [
        *("What is this?", "Which?\nA. x", "By J. Smith and K. Brown.", "Which?\n1. x\n2. y", ""),
        *("Vitamin A. It helps plan B. too", "the points (a), (b) and (c)", "A.M. or\nP.M."),
        "Which (A) apples or (B) pears are sweeter?",
        "Is (A)apples or (B)pears sweeter?",
        "the value A. 3.5 B. 4.2 C. 5",
        "Is f(A) or f(B) larger?",
        "Between [A] red, [B] blue, which is warm?",
        "See the figure. Point (A) and (B) are far; how far?",
    ],
)
def test_no_options(text: str):
    assert marked_options(text, "here") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q?\n(B) cat\n(C) dog\n(D) cow", "one is marked A, but marked are B, C, D"),
        ("q? Options: B. cat C. dog", "one is marked A, but marked are B, C"),
        ("q?\n(A) x\n(B) y\n(A) z", "A is marked 2 times"),
        ("q? (A) x (B) y (B) z", "B is marked 2 times"),
        ("q? A. Vitamin A. B. Vitamin B.", "is marked 2 times"),
        ("q?\nA.\nB. y", "a text after the mark of option A"),
        ("q?\nA. x\n\nmore\nB. y", "'more' stands between the options"),
        ("q?\n(A) x\nB. y", "A and B are marked in two ways"),
        ("q?\nA. x\nB) y\nC. z", "A and B are marked in two ways"),
        ("q?\nA. x\nB. y\nC) z", "B and C are marked in two ways"),
        ("q?\nA. x\nB. y\nI. think", "A, B, I leave too much out"),
        ("q?\nA. red\nB. blue\nOr C. green", "mark of C stands inside a line"),
        ("q?\n(A) red\n(B) blue\nor (C) green\n\nHint", "mark of C stands inside a line"),
        ("q?\nA. red\nor B. blue\nC. green", "mark of B stands inside a line"),
    ],
)
def test_what_cannot_be_placed_is_refused(text: str, message: str):
    with pytest.raises(InputError, match=f"^here: .*{message}"):
        marked_options(text, "here")


@pytest.mark.parametrize(
    "text",
    [
        "x " * 500_000 + "\nA. x\nB. y",
        "Which?\nA. x\nB. " + "y " * 500_000,
        "Which? (A) x (B) y" + " Answer" * 140_000,
        "A. x\n" * 40_000,
        "(A) x " * 40_000,
        "A. x\ny\n" * 40_000 + "B. z",
        "I. x\n" * 40_000 + "A. x\nB. y",
        "Options: " * 100_000,
        "*" * 1_000_000,
        "(" * 1_000_000,
        "Z: " * 330_000,
        "A.\n" * 330_000,
        "Options: " + "(A)x(B)x" * 125_000,
        "(A) " * 250_000,
        "A. x\nB. y\n" + "\n" * 1_000_000 + "Answer",
    ],
    ids=range(15),
)
def test_long_texts_take_linear_time(text: str):
    with at_most(1):  # half of it here; quadratic: minutes
        try:
            marked_options(text, "here")
        except InputError as error:
            assert len(str(error)) < 300
