"""A text without the dress of Markdown and TeX, its characters in one form each.

Case, line breaks and all that carries meaning stay: TeX commands become their signs, fractions
"a/b", raised characters powers ("x²" and "x^{2}" are "x^2", which "x2" is not), lowered ones plain
("H₂O" is "H2O"; after a digit they are a base, "101_2").
"""

from __future__ import annotations

import html
import re
import unicodedata

SIGNS = {
    **dict.fromkeys(("le", "leq", "leqslant", "leqq"), "≤"),
    **dict.fromkeys(("ge", "geq", "geqslant", "geqq"), "≥"),
    **{"lt": "<", "gt": ">", "ne": "≠", "neq": "≠", "approx": "≈", "sim": "~", "equiv": "≡"},
    **{"propto": "∝", "cong": "≅", "simeq": "≃", "ll": "≪", "gg": "≫"},
    **{"times": "×", "cdot": "⋅", "div": "÷", "pm": "±", "mp": "∓", "ast": "*", "circ": "°"},
    **{"cup": "∪", "cap": "∩", "in": "∈", "notin": "∉", "setminus": "∖", "emptyset": "∅"},
    **{"subset": "⊂", "subseteq": "⊆", "supset": "⊃", "supseteq": "⊇", "varnothing": "∅"},
    **{"to": "→", "rightarrow": "→", "leftarrow": "←", "leftrightarrow": "↔", "iff": "⇔"},
    **{"longrightarrow": "→", "Rightarrow": "⇒", "implies": "⇒", "Leftrightarrow": "⇔"},
    **{"neg": "¬", "lnot": "¬", "land": "∧", "wedge": "∧", "lor": "∨", "vee": "∨"},
    **{"forall": "∀", "exists": "∃", "infty": "∞", "degree": "°", "prime": "'", "partial": "∂"},
    **{"nabla": "∇", "int": "∫", "sum": "∑", "prod": "∏", "perp": "⊥", "parallel": "∥"},
    **{"angle": "∠", "triangle": "△", "oplus": "⊕", "otimes": "⊗", "sharp": "♯", "flat": "♭"},
    **{"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ"},
    **{"varepsilon": "ε", "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ"},
    **{"mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ"},
    **{"upsilon": "υ", "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω"},
    **{"Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π"},
    **{"Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "ldots": "…", "cdots": "…", "dots": "…"},
    **dict.fromkeys(("quad", "qquad", "displaystyle", "limits"), " "),
    **dict.fromkeys(("left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr"), ""),
}
# Commands of which only what they are applied to says something.
FONTS = (
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|cal|bb|sf|frak|tt)?|bm|boldsymbol|bf|rm|"
    r"it|operatorname\*?|mbox|hbox|ensuremath|underline|emph|boxed|fbox)(?![A-Za-z])"
)

# Pairs and runs of ASCII that stand for one sign. "<-" is none: "x<-3".
RUNS = {"<=": "≤", ">=": "≥", "!=": "≠", "=/=": "≠", "+/-": "±", "<->": "↔", "->": "→", "=>": "⇒"}
RUN = re.compile(r"(?<![<>=!+\-/])(?:" + "|".join(map(re.escape, RUNS)) + r")(?![<>=+/])")

RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ", "0123456789+-=()ni", strict=True))
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₒₓₙᵢⱼₖₘ", "0123456789+-=()aeoxnijkm", strict=True))
RAISED_RUN = re.compile(f"[{''.join(RAISED)}]+")
LOWERED_RUN = re.compile(f"[{''.join(LOWERED)}]+")
VULGAR = re.compile(r"(?<=\d)(?=[¼½¾⅐-⅞])")

ONE_FORM = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼ´＇", "'"),
        **dict.fromkeys("“”„‟«»＂「」『』《》〈〉", '"'),
        **dict.fromkeys("【〖〔", "("),
        **dict.fromkeys("】〗〕", ")"),
        **{"′": "'", "″": "''", "‴": "'''", "º": "°", "˚": "°", "∼": "~", "∗": "*", "·": "⋅"},
        **dict.fromkeys("−‐‑‒﹣－", "-"),
        **dict.fromkeys("®©™℠\u00ad\u200b\u2060\ufeff\u200e\u200f\ufe0e\ufe0f\u0640", ""),
    }
)

TEX = re.compile(r"\\[A-Za-z]|\\[,;:!{}()\[\]%$]|[\^_]\{|\$")
COMMAND = re.compile(r"\\([A-Za-z]+)")
# A dollar next to a digit outside and a space inside is money, as in "$5 and $6".
TEX_MATH = re.compile(r"\$\$|(?<!\\)\$(?!\s)([^$\n]{1,1000}?)(?<![\s\\])\$(?!\d)")
# What is left of TeX that was cut off, or of "$LETTER" in a prompt.
LEFT_DOLLAR = re.compile(r"(?<!\w)\$(?=\(?[A-Za-z])|(?<=[A-Za-z)])\$(?!\w)")
TEX_SPACE = re.compile(r"\\[,;:! ]|(?<=\w)~(?=[\w\\{])|\\\\|\\[()\[\]]")
TEX_ESCAPED = re.compile(r"\\([%$#&_])")
TEX_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{([^{}]{0,500})\}\s*\{([^{}]{0,500})\}|(\d)\s*(\d))")
TEX_ROOT = re.compile(r"\\sqrt\s*(?:\{([^{}]{0,500})\}|(\w))")
GROUPED = re.compile(r"([\^_])\s*\{([^{}]{0,500})\}")
DEPTH = 6
"""Fractions, roots and powers within one another that are read, at most."""
ATOM = re.compile(r"[+\-]?√?(?:\d+(?:\.\d+)?|\w)|°|'+|[*+\-]|\d*[+\-]")

# One thing in brackets, as a power or under a root; a name behind π.
BRACKETED = re.compile(r"(?<=[\^√])\(([+\-]?(?:\d+(?:\.\d+)?|\w))\)|(?<=π)(?=[A-Za-z])")
INDEX = re.compile(r"(?<=[^\W\d_])_(?:(\d+)(?!\d)|([^\W\d_])(?![^\W_]))")
# The charge of an ion, raised or not: "Fe^3+", "OH^-"; elsewhere "^" is a power, and it stays in
# "O^2-", which "O2-" need not be.
CHARGE = re.compile(r"(?<=[A-Za-z0-9)\]])(?<![A-Za-z]{4})\^\(?(\d?\+|-)\)?(?![\w(.^]|\s\d)")
# "C sharp", "C♯" and "C#" are one note; "a flat tire" has none.
NOTE = re.compile(
    r"(?<=\b[A-G])(♯|♭|[ -](?:sharp|(?<=[B-G] )flat|(?<=[B-G]-)flat)(?=\s+(?:major|minor)\b|\W*\Z))"
)
ION = re.compile(r"(?:(?<![a-z])[A-Z][a-z]?\d{0,2}[)\]]?\d{0,2}|(?<![\w])e)\Z")
ROOT_CALL = re.compile(r"(?<![\w\\])sqrt\s?\(([^()]{1,500})\)")
POWER = re.compile(r"(?:(?<=[0-9)\]])|(?<=\b[A-Za-z]))\*\*(?=[-+0-9(]|[A-Za-z]\b)")
THOUSANDS = re.compile(r"(?<![\d,.])(\d{1,3}(?:,\d{3})+)(?![\d,]*\d)")

ENTITY = re.compile(r"&(?:lt|gt|amp|nbsp|quot|apos|le|ge|ne|times|minus|deg|plusmn|#39);")
HTML = re.compile(r"</?(?:b|i|u|em|strong|p|br|span|code|div|h[1-6])\s?/?>", re.I)
# Markdown; what is left of "*" and "_" multiplies or joins.
BOLD_PAIR = re.compile(r"(?<![A-Za-z0-9)\]*])\*\*(?=[^\s*])([^*\n]{1,500}?)(?<=\S)\*\*(?!\*)")
BOLD = re.compile(r"\*\*\*|\*\*|~~|(?<!\w)__|__(?!\w)|`+")
ITALIC = re.compile(
    r"(?<![\w*)])\*(?=[^\s*])([^*\n]{1,300}?)(?<=\S)\*(?![\w*])"
    r"|(?<![\w_])_(?=[^\s_])([^_\n]{1,300}?)(?<=\S)_(?![\w_])"
)
LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]*(?=[^\W\d_]{2})|[*•][ \t]+)", re.M)


def plain(text: str) -> str:
    """``text`` undressed; see the module."""
    text = ENTITY.sub(lambda m: html.unescape(m[0]), text)
    text = VULGAR.sub(" ", text.translate(ONE_FORM))
    text = RAISED_RUN.sub(lambda m: f"^{grouped(translated(m[0], RAISED))}", text)
    text = LOWERED_RUN.sub(lambda m: f"_{{{translated(m[0], LOWERED)}}}", text)
    text = unicodedata.normalize("NFKC", text).replace("\u2044", "/").translate(ONE_FORM)
    text = POWER.sub("^", BOLD_PAIR.sub(r"\1", text))
    if TEX.search(text):
        text = LEFT_DOLLAR.sub("", untexed(text))
    for pattern in (HTML, BOLD, LINE_MARK):
        text = pattern.sub("", text)
    text = ITALIC.sub(lambda m: m[1] or m[2], text)
    text = ROOT_CALL.sub(lambda m: f"√{grouped(m[1])}", text)
    text = BRACKETED.sub(lambda m: m[1] or " ", text)
    text = CHARGE.sub(charge, INDEX.sub(lambda m: m[1] or m[2], text))
    text = NOTE.sub(lambda m: "#" if m[1][-1] in "p♯" else "b", text)
    text = THOUSANDS.sub(lambda m: m[1].replace(",", ""), text)
    return RUN.sub(lambda m: RUNS[m[0]], text)


def translated(run: str, table: dict[str, str]) -> str:
    return "".join(table[c] for c in run)


def untexed(text: str) -> str:
    """TeX to signs, its braces gone but for those that are escaped."""
    commands = "\\" in text
    text = TEX_MATH.sub(lambda m: f" {m[1] or ''} ", text)
    text = TEX_SPACE.sub(" ", text.replace("\\{", "\ue000").replace("\\}", "\ue001"))
    text = re.sub(FONTS, "", text)
    text = COMMAND.sub(command, text)
    for _ in range(DEPTH):
        before = text
        text = GROUPED.sub(power_or_index, text)
        text = TEX_ROOT.sub(lambda m: f"√{grouped(m[1] or m[2])}", text)
        text = TEX_FRACTION.sub(fraction, text)
        if text == before:
            break
    text = TEX_ESCAPED.sub(r"\1", text)
    if commands:
        text = text.replace("{", "").replace("}", "")
    text = re.sub(r"\^\s*(?=[°'])", "", text)
    return text.replace("\ue000", "{").replace("\ue001", "}")


def command(match: re.Match[str]) -> str:
    name, text = match[1], match.string
    if name in SIGNS:
        return SIGNS[name]
    if re.fullmatch("[dtc]?frac|sqrt", name):
        return match[0]
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    return f"{' ' * before.isalnum()}{name}{' ' * after.isdigit()}"


def grouped(inside: str | None) -> str:
    """What a fraction, root or power is made of: in brackets unless it is one thing."""
    inside = (inside or "").strip()
    return inside if ATOM.fullmatch(inside) else f"({inside})"


def charge(match: re.Match[str]) -> str:
    """A charge without its "^" behind the symbol of an element or its number: "SO4^2-"."""
    symbol = ION.search(match.string[max(0, match.start() - 12) : match.start()])
    return match[1] if symbol else match[0]


def fraction(match: re.Match[str]) -> str:
    before, after = match.string[match.start() - 1 : match.start()], match.string[match.end() :][:1]
    over = f"{grouped(match[1] or match[3])}/{grouped(match[2] or match[4])}"
    return f"{' ' * before.isalnum()}{over}{' ' * after.isalnum()}"


def power_or_index(match: re.Match[str]) -> str:
    inside, text = match[2].strip(), match.string
    if match[1] == "^":
        return f"^{grouped(inside)}"
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    if before.isdigit():
        return f"_{inside}"
    joined = re.fullmatch(r"\d+|[^\W\d_]", inside) is not None
    return f"{' ' * (not joined)}{inside}{' ' * (after.isdigit() or not joined)}"
