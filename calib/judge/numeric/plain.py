"""A text as the reader of numbers takes it: ASCII digits and signs, no markup.

LaTeX becomes plain signs (``\\frac`` and ``\\boxed`` stay as words of their own), Markdown goes,
digits of every script become ASCII, and number words become digits.
"""

from __future__ import annotations

import re
import unicodedata

from calib.judge.numeric.reworded import multiplied, reworded
from calib.judge.numeric.words import with_digits

SMALL_FRACTION = re.compile(r"[⁰¹²³⁴-⁹]{1,4}⁄[₀-₉]{1,4}")
SUPERSCRIPT = re.compile(r"[⁺⁻]?[⁰¹²³⁴-⁹]+")
# Characters that have an ASCII look-alike or a plainer form, beside those that NFKC turns into one.
SIGNS = {
    **dict.fromkeys("−‐‑‒–﹣－", "-"),
    **dict.fromkeys("\u00a0\u2009\u202f\u2007\u2008\u200a\u3000", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\u061c", ""),
    **{
        "，": ", ",
        "、": ", ",
        "。": ". ",
        "．": ".",
        "：": ":",
        "∶": ":",
        "；": ";",
        "—": ";",
        "―": ";",
    },
    **{"٫": ".", "٬": ",", "٪": "%", "⁄": "/", "∕": "/", "÷": "/", "⋅": "·", "∙": "·", "•": "·"},
    **{"✕": "×", "✖": "×", "∗": "*", "～": "~", "〜": "~", "≃": "≈", "≅": "≈", "≡": "=", "∼": "~"},
    **{"⇒": "→", "⟹": "→", "⟶": "→", "➡": "→", "º": "°", "˚": "°", "μ": "µ", "\u2126": "Ω"},
    **{"㏑": "ln", "‘": "'", "’": "'", "＇": "'", "“": '"', "”": '"'},
}
COMPATIBLE = re.compile(r"[\u2080-\u2089\u2100-\u214f\u2460-\u2473\u3300-\u33ff\uff01-\uff5e]")

MATH = re.compile(r"(?<!\\)\$\$?")
LATEX_TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|operatorname|bf|rm|mbox|unit|si)"
    r"\*?\s?\{([^{}\\]{0,200})\}"
)
LATEX = {
    **dict.fromkeys(("times", "ast"), "×"),
    **{"cdot": "·", "div": "/", "pm": "±", "approx": "≈", "simeq": "≈", "sim": "≈", "cong": "≈"},
    **dict.fromkeys(("to", "rightarrow", "Rightarrow", "implies", "longrightarrow"), "→"),
    **{"pi": "π", "sqrt": "√", "mu": "µ", "Omega": "Ω", "degree": "°", "circ": "°", "infty": "∞"},
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac"), " \\frac "),
    **dict.fromkeys(("boxed", "fbox"), " \\boxed "),
    **{"%": "%", "$": "$", "#": "#", "&": " ", "_": " "},
    **dict.fromkeys(("left", "right", "big", "Big", "displaystyle", "mathrm", "text"), ""),
    **dict.fromkeys((",", ";", ":", " ", "quad", "qquad", "(", ")", "[", "]"), " "),
    **{"!": "", "\\": "\n", "{": "{", "}": "}", "leq": "≤", "geq": "≥", "le": "≤", "ge": "≥"},
}
COMMAND = re.compile(r"\\([A-Za-z]+|[^A-Za-z\s]| )")
RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"<sup>([-+]?\d{1,9})</sup>", r"^\1"),
        (r"</?[a-z]{1,8} ?/?>", " "),
        (r"\[\^\d{1,4}\]", " "),  # a footnote of Markdown
        (r"(?<=\d)\*\*(?=[-+]?[\d(])|(?<=\d) \*\* (?=[-+]?[\d(])", "^"),
        (r"\*\*|__|`|\*\*\*", ""),
        (r"(?<=\d)\{,\}(?=\d)", ","),
        (r"\^\s?\{?\s?°\s?\}?", "°"),
        (r"(?<=[A-Za-z}])_(?:\{[^{}]{0,40}\}|[A-Za-z\d])", ""),  # a subscript
        (r"(?<=\d)\s?[xX]\s?(?=10\s?\^)|(?<=\d)[xX](?=\d)|(?<=\d) x (?=[-+]?\d)", "×"),
        (r"\b(?:sqrt|SQRT)\b", "√"),
        (r"\b[Pp]i\b", "π"),
        (r"\+/-", "±"),
        (r"==?>|-->?", "→"),
        (r"~=|=~", "≈"),
        (r"µ (?=[mgslLAVFHW]\b)", "µ"),
        (r"(?<=\d)(h|hr|hrs|min|ft|lb|m)(?=\d{1,3} ?(?:min|m|sec|s|in|oz|cm)\b)", r"\1 "),
        (r"[ \t\r\f\v]+", " "),
    )
)
# "minus three", once "three" is 3; "5 minus 3" stays.
MINUS = re.compile(
    r"(?<![\d)] )\b(?:minus|negative|moins|menos|meno|минус) (?=[\d.√π$])|(?<![^\W])负(?=\d)", re.I
)
WIDE_GROUP = re.compile(r"(?<=\d)，(?=\d{3}(?!\d))")


def plainly(text: str) -> str:
    text = SMALL_FRACTION.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text)
    text = SUPERSCRIPT.sub(lambda m: "^" + unicodedata.normalize("NFKC", m[0]), text)
    text = WIDE_GROUP.sub(",", text).translate(table(text))
    text = without_math_marks(text) if "$" in text else text
    if "\\" in text:
        text = COMMAND.sub(lambda m: LATEX.get(m[1], f" {m[1]} "), unwrapped(text))
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return MINUS.sub(" -", multiplied(with_digits(reworded(text))))


def table(text: str) -> dict[int, str]:
    """What each character of the text that is not ASCII becomes."""
    return {ord(sign): plain_sign(sign) for sign in set(text) if sign > "\x7f"}


def plain_sign(sign: str) -> str:
    if sign in SIGNS:
        return SIGNS[sign]
    if (digit := unicodedata.decimal(sign, None)) is not None:
        return str(digit)
    form = unicodedata.normalize("NFKC", sign)
    if unicodedata.category(sign) == "No" and "⁄" in form:  # ½
        return " " + form.replace("⁄", "/")
    return form if COMPATIBLE.match(sign) else sign


def unwrapped(text: str) -> str:
    r"""Without \text{...} and its like, which stand within one another at most twice."""
    return LATEX_TEXT.sub(r"\1", LATEX_TEXT.sub(r"\1", text))


def without_math_marks(text: str) -> str:
    r"""Without the dollar signs around mathematics: "$5$" is five, "$5" five dollars.

    A sign closes mathematics where nothing but text stands right before it and no digit right
    after it. "\$" always is money.
    """
    pieces = []
    opened: int | None = None
    last = 0
    for match in MATH.finditer(text):
        start, end = match.span()
        closes = start > 0 and not text[start - 1].isspace() and not text[end : end + 1].isdigit()
        if opened is not None and (end - start == 2 or closes) and "\n\n" not in text[opened:start]:
            pieces += [text[last:opened].removesuffix("$").removesuffix("$"), text[opened:start]]
            last, opened = end, None
        else:
            opened = end
    return "".join([*pieces, text[last:]])
