"""The rule by which two texts are the same: what it must tell apart, and what it must not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib.judge import normalized_text
from calib.uncertainty.semantic.clustering import Equivalence

APART = [
    # signs of numbers and quantities
    *[("-4", "4"), ("−4", "4"), ("-40 kJ/mol", "40 kJ/mol"), ("x = -3", "x = 3"), ("-x", "x")],
    *[("-kT", "kT"), ("-sin x", "sin x"), ("\\boxed{-4}", "4"), ("$-4$", "4"), ("-0.5", "0.5")],
    *[("- 4", "4"), ("(-4)", "4"), ("±5", "5"), ("±5", "-5"), ("5-3", "53"), ("-1/2", "1/2")],
    *[("x = 2, -3", "x = 2 - 3"), ("2, -3", "2, 3"), ("-∞", "∞"), ("+4", "-4")],
    # comparison
    *[("x < y", "x > y"), ("x < y", "x = y"), ("p < 0.05", "p > 0.05"), ("x ≤ y", "x < y")],
    *[("x ≥ y", "x ≤ y"), ("x ≠ y", "x = y"), ("x != y", "x = y"), ("x <= y", "x >= y")],
    *[("< 5", "5"), ("> 5", "< 5"), ("~5", "5"), ("x ≈ y", "x = y"), ("a == b", "a = b")],
    *[("$x \\le y$", "$x \\ge y$"), ("a ≡ b", "a = b"), ("x ≪ y", "x ≫ y"), ("> 5", "5")],
    *[("A ≮ B", "A < B"), ("x ~ y", "x y"), ("x <-3", "x → 3"), ("x<y", "xy")],
    # arithmetic
    *[("3*4", "3/4"), ("3 + 4", "3 - 4"), ("3+4", "34"), ("x + y", "x - y"), ("x - y", "x y")],
    *[("x*y", "x/y"), ("6 ÷ 2", "6 × 2"), ("a/b", "b/a"), ("a/b", "a b"), ("xy", "x/y")],
    *[("(a+b)*c", "a+b*c"), ("(a + b)/c", "a + b/c"), ("(x+1)^2", "x+1^2"), ("2(x+1)", "2x+1")],
    *[("sin x - cos x", "sin x cos x"), ("Profit = revenue - cost", "Profit = revenue cost")],
    *[("a × b", "a · b"), ("\\frac{a}{b}", "\\frac{b}{a}"), ("½", "12"), ("3½", "31/2")],
    *[("a+b", "ab"), ("x ± y", "x + y"), ("x ∓ y", "x ± y"), ("√2", "2"), ("√(x+1)", "√x+1")],
    *[("5!", "5"), ("n!", "n"), ("3:4", "34"), ("3:4", "3/4"), ("1.5", "15"), ("1.5", "1 5")],
    *[("50%", "50"), ("5‰", "5%"), ("0.05", "0.5"), ("|x|", "x"), ("ln x", "-ln x")],
    # powers and indices
    *[("10^3", "10^-3"), ("10^3", "103"), ("10³", "10⁻³"), ("10³", "103"), ("x²", "x2")],
    *[("x^2", "x2"), ("x^2", "2x"), ("x²", "x³"), ("2^{n+1}", "2^n+1"), ("e^{-x}", "e^x")],
    *[("10**3", "10**-3"), ("10**3", "10*3"), ("m/s²", "m/s"), ("cm²", "cm³"), ("cm²", "cm")],
    *[("[A]^2", "[A]"), ("k[A]", "k"), ("k[A]^2", "k[A]"), ("Rate = k", "Rate = k[A]")],
    *[("101_2", "1012"), ("101₂", "1012"), ("log₂8", "log₂₈"), ("¹⁴C", "14C")],
    # names that end in signs
    *[("C", "C++"), ("C", "C#"), ("C++", "C#"), ("O+", "O-"), ("O+", "O"), ("AB-", "AB+")],
    *[("Na+", "Na"), ("Na⁺", "Na⁻"), ("O₂⁻", "O²⁻"), ("Ca2+", "Ca+"), ("e⁻", "e⁺"), ("A*", "A")],
    *[("F", "F#"), ("F♯", "F♭"), ("B♭", "B"), ("A+", "A-"), ("A+", "A"), ("i++", "i--")],
    *[("f'", "f"), ("f'(x)", "f(x)"), ("f''", "f'"), ("5'", '5"'), ("5°", "5"), ('6"', "6")],
    *[("f(x)", "fx"), ("Fe(OH)3", "FeOH3"), ("#1", "1"), ("a@b", "a b"), ("O- blood", "O+ blood")],
    # sets, logic, arrows
    *[("A ∪ B", "A ∩ B"), ("A∪B", "AB"), ("¬p", "p"), ("p ∧ q", "p ∨ q"), ("p → q", "q → p")],
    *[("p → q", "p ↔ q"), ("p → q", "p q"), ("A → B", "A ← B"), ("x ∈ A", "x ∉ A")],
    *[("A ⊂ B", "A ⊃ B"), ("∀x", "∃x"), ("∅", "0"), ("A ∖ B", "A B"), ("p->q", "p<->q")],
    *[("(1, 2)", "[1, 2]"), ("(1, 2]", "[1, 2)"), ("{1, 2}", "(1, 2)"), ("[1,2)", "(1,2)")],
    *[("x, y", "xy"), ("∂f", "f"), ("∇f", "f"), ("∫f", "f"), ("∞", "8"), ("△ABC", "∠ABC")],
    # currencies and units
    *[("$5", "€5"), ("£5", "$5"), ("$5", "5"), ("5 °C", "5 °F"), ("5 Å", "5 A"), ("5 Ω", "5")],
    # accents that make another letter, in scripts other than Latin
    *[
        ("й", "и"),
        ("ё", "е"),
        ("パン", "ハン"),
        ("ガ", "カ"),
        ("ハ", "バ"),
        ("ぱ", "は"),
        ("ｶﾞ", "ｶ"),
    ],
    *[("कि", "क"), ("कि", "कु"), ("กา", "ก"), ("น้ำ", "นำ"), ("بَ", "بُ"), ("שׁ", "שׂ"), ("각", "가")],
    *[("ї", "і"), ("আ", "অ"), ("ক্ষ", "কষ"), ("x̄", "x"), ("p̂", "p"), ("v⃗", "v"), ("ή", "η")],
    # words that are no articles
    *[("Vitamin A", "Vitamin"), ("Hepatitis A", "Hepatitis"), ("A minor", "minor")],
    *[("vitamin a deficiency", "vitamin deficiency"), ("A positive", "positive"), ("a", "an")],
    *[("A + B", "B"), ("a = b", "b"), ("A B", "B"), ("😀", "😢"), ("yes", "no"), ("?", "!")],
    *[("Paris", "Parisian"), ("1,234", "1234.5"), ("1,234", "1.234"), ("12:30", "1230")],
]

SAME = [
    # case, articles, white space, punctuation
    *[("The  Cat!", "cat"), ("a dog", "Dog."), ("an apple", "apple"), ("It is a cat", "it is cat")],
    *[("the city of the light", "City of Light"), ("in a house", "in house"), ("Yes.", "yes")],
    *[("Paris, France", "Paris France"), ("Washington, D.C.", "washington dc"), ("No!", "no")],
    *[("U.S.A.", "USA"), ("U.S.", "US"), ("e.g.", "eg"), ("Ph.D.", "PhD"), ("p.m.", "pm")],
    *[("J. K. Rowling", "J.K. Rowling"), ("J.R.R. Tolkien", "JRR Tolkien"), ("т.е.", "те")],
    *[
        ("don't", "dont"),
        ("don’t", "don't"),
        ("O'Brien", "OBrien"),
        ("students' union", "students union"),
    ],
    *[("x-ray", "x ray"), ("X‑ray", "x-ray"), ("well-known", "well known"), ("T-shirt", "t shirt")],
    *[
        ("COVID-19", "covid 19"),
        ("5-year plan", "5 year plan"),
        ("Paris - France", "Paris, France"),
    ],
    *[("Paris — France", "Paris, France"), ("Paris (France)", "Paris, France"), ("(b)", "b")],
    *[
        ("“Paris”", "Paris"),
        ("'Paris'", '"Paris"'),
        ("«Paris»", "Paris"),
        ("‘x’", "x"),
        ("Paris?", "paris"),
    ],
    *[("St. Louis", "St Louis"), ("red, white and blue", "red white and blue"), ("¿Sí?", "si")],
    *[
        ("R&D", "R and D"),
        ("salt & pepper", "salt and pepper"),
        ("Paris…", "Paris"),
        ("東京。", "東京"),
    ],
    *[
        ("東 京", "東京"),
        ("「東京」", "東京"),
        ("はい、そうです", "はいそうです"),
        ("Paris;", "Paris"),
    ],
    # accents of Latin letters, forms of one character
    *[
        ("Édouard Manet", "Edouard Manet"),
        ("café", "cafe"),
        ("Zürich", "Zurich"),
        ("naïve", "naive"),
    ],
    *[("São Paulo", "Sao Paulo"), ("Malmö", "malmo"), ("straße", "strasse"), ("Dvořák", "Dvorak")],
    *[("Ｂ", "B"), ("ｘ＜ｙ", "x < y"), ("１２３", "123"), ("ﬁsh", "fish"), ("ﾊﾟﾝ", "パン")],
    *[("é", "e\u0301"), ("й", "и\u0306"), ("ガ", "カ\u3099"), ("각", "\u1100\u1161\u11a8")],
    *[("٥", "5"), ("Ⅳ", "IV"), ("①", "1"), ("soft\u00adware", "software"), ("a\u200bb", "ab")],
    *[("iPhone®", "iPhone"), ("K", "k"), ("𝐀𝐁", "AB"), ("ΑΒΓ", "αβγ"), ("МОСКВА", "Москва")],
    # Markdown
    *[("**bold**", "bold"), ("*italic*", "italic"), ("`code`", "code"), ("__bold__", "bold")],
    *[("# Paris", "Paris"), ("- gold leaf", "gold leaf"), ("* gold leaf", "gold leaf")],
    *[("> quoted words", "quoted words"), ("**-4**", "-4"), ("答案是**东京**", "答案是东京")],
    # TeX
    *[("\\text{Paris}", "Paris"), ("$x$", "x"), ("$$x$$", "x"), ("\\(x\\)", "x"), ("\\[x\\]", "x")],
    *[("\\mathrm{NaCl}", "NaCl"), ("\\boxed{-4}", "-4"), ("$\\boxed{\\text{Paris}}$", "Paris")],
    *[
        ("x \\le y", "x ≤ y"),
        ("$x \\leq y$", "x <= y"),
        ("x \\ge y", "x ≥ y"),
        ("x \\neq y", "x != y"),
    ],
    *[
        ("\\frac{a}{b}", "a/b"),
        ("\\frac{3}{4}", "3/4"),
        ("\\dfrac34", "3/4"),
        ("½", "1/2"),
        ("3½", "3 1/2"),
    ],
    *[("\\frac{x+1}{2}", "(x+1)/2"), ("\\sqrt{3}", "√3"), ("\\frac{\\sqrt{3}}{2}", "√3/2")],
    *[("3 \\times 4", "3 × 4"), ("3*4", "3 × 4"), ("3 x 4", "3×4"), ("3 \\cdot 4", "3·4")],
    *[("x^{2}", "x²"), ("x^2", "x²"), ("x**2", "x^2"), ("10^{-3}", "10⁻³"), ("10^(-3)", "10^-3")],
    *[("10**-3", "10^-3"), ("90^\\circ", "90°"), ("90^{\\circ}", "90 degrees"), ("5 \\%", "5%")],
    *[("50 percent", "50%"), ("50 %", "50%"), ("H₂O", "H2O"), ("H_2O", "H2O"), ("H_{2}O", "H2O")],
    *[
        ("x_1", "x₁"),
        ("SO_4^{2-}", "SO₄²⁻"),
        ("Ca^{2+}", "Ca²⁺"),
        ("\\pi r^2", "πr²"),
        ("H⁺", "H^+"),
    ],
    *[("\\alpha", "α"), ("A \\cup B", "A ∪ B"), ("p \\to q", "p → q"), ("p -> q", "p → q")],
    *[("\\left(\\frac{1}{2}\\right)", "1/2"), ("\\{1, 2\\}", "{1, 2}"), ("5~\\text{cm}", "5 cm")],
    *[("\\$5", "$5"), ("f^{\\prime}(x)", "f'(x)"), ("f′(x)", "f'(x)"), ("\\mathbb{R}", "ℝ")],
    # signs: forms and white space
    *[("−4", "-4"), ("–4", "-4"), ("- 4", "-4"), ("(-4)", "-4"), ("+4", "4"), ("x<y", "x < y")],
    *[("p<0.05", "p < 0.05"), ("p < .05", "p < 0.05"), ("x-y", "x - y"), ("5-3", "5 – 3")],
    *[("3 / 4", "3/4"), ("x ^ 2", "x^2"), ("x >= y", "x ≥ y"), ("±5", "+/- 5"), ("k [A]", "k[A]")],
    *[
        ("O -", "O-"),
        ("5cm", "5 cm"),
        ("$ 5", "$5"),
        ("5 °C", "5°C"),
        ("5 ° C", "5℃"),
        ("6″", '6"'),
    ],
    *[("1,234,567", "1234567"), ("-1,234.5", "-1234.5"), ("(1,2)", "(1, 2)"), ("3 : 4", "3:4")],
    *[
        ("C++.", "C++"),
        ("The C# language", "C# language"),
        ("a \\cdot b", "a · b"),
        ("2*x", "2 × x"),
    ],
]


@pytest.mark.parametrize(("one", "other"), APART)
def test_apart(one: str, other: str) -> None:
    assert normalized_text(one) != normalized_text(other)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same(one: str, other: str) -> None:
    assert normalized_text(one) == normalized_text(other)


@pytest.mark.parametrize("text", sorted({text for pair in APART + SAME for text in pair}))
def test_what_is_folded_stays_as_it_is(text: str) -> None:
    folded = normalized_text(text)
    assert folded
    assert normalized_text(folded) == folded


SIGNS = "<>=≤≥≠~+-×/^%#√∞∪∩¬→↔♯♭"
NAMES = st.text("xyzkn", min_size=1, max_size=1) | st.integers(2, 99).map(str)


@given(NAMES, NAMES, st.sampled_from(SIGNS), st.sampled_from(SIGNS), st.sampled_from(["", " "]))
def test_another_sign_is_another_text(
    one: str, other: str, sign: str, instead: str, s: str
) -> None:
    text, changed = (f"{one}{s}{between}{s}{other}" for between in (sign, instead))
    assert (normalized_text(text) == normalized_text(changed)) is (sign == instead)
    assert normalized_text(text) != normalized_text(f"{one} {other}")
    assert normalized_text(text) != normalized_text(one + other)


@given(st.text(max_size=40) | st.text("aAbx12 .,;:!?'\"()[]-+*/^%#$<>=_~½²é東", max_size=16))
@settings(max_examples=500, deadline=None)
def test_folding_twice_is_folding_once(text: str) -> None:
    folded = normalized_text(text)
    assert normalized_text(folded) == folded
    assert bool(folded) is bool(folded.strip())


def test_clusters_of_answers_fold_by_the_same_rule() -> None:
    same = Equivalence("normalized")
    assert same(APART) == [False] * len(APART)
    assert same(SAME) == [True] * len(SAME)
    assert same([("<think>Lyon?</think> Paris", "Paris."), ("<think>a", "<think>b")]) == [
        True,
        False,
    ]
    assert Equivalence("exact")([("<think>Lyon?</think> Paris", "Paris")]) == [True]
