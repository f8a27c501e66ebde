"""The wordings by which an answer names an option, as regular expressions.

They were fitted by eye to 46,710 published responses of seven models to MMMU-Pro, direct and chain
of thought; ``tests/data/mmmu_pro`` holds an excerpt.
"""

from __future__ import annotations

import re

BEST = r"(?:final|correct|right|best|closest|most likely|most appropriate|nearest)"
NOUN = r"(?:[Oo]ption|[Cc]hoice|[Aa]nswer)"

# Markdown and TeX that only dresses a letter or a text.
DRESS = re.compile(
    r"\*+|`+|~~|\$|\\(?:text|textbf|mathrm|mathbf|mathcal|bf|rm)\b|\\[()\[\]]|[{}]|"
    r"(?<!\w)_+|_+(?!\w)|^\s*(?:#+|>)\s*",
    re.M,
)
# \boxed{\text{B}}: a letter in a box.
BOXED = re.compile(r"\\boxed\s*\{\s*(?:\\\w+\s*\{)?\s*\(?([A-Z])\)?[^{}]*\}*")

# The whole answer, or a whole line of it, is a letter.
ALONE = re.compile(r"\W*(?:option|choice|answer)?\W*([A-Za-z])\W*", re.I)
ALONE_TOGETHER = re.compile(r"\W*[A-Z](?:\s*(?:,|&|/|and\b|or\b)\s*[A-Z]\b)+\W*")
LONE = re.compile(r"\W*([A-Z])\W*")

# "The correct answer is", "Answer:", "the closest option to 3 m would be", "I choose option".
CUE = re.compile(
    rf"(?:\b{BEST}\s+)*\b(?:answers?|solution|choice|option|response)"
    r"(?:\s+(?:choice|option|letter))?"
    r"(?:\s+(?:to|for|among|from|of|in|based on)\s[^.:\n]{1,80}?)?"
    r"(?:\s*[:=]\s*|\s+(?:is|are|was|would be|should be|must be|will be|might be|could be|"
    r"appears to be|seems to be)\b\s*[:=]?\s*(?:therefore|thus|indeed|most likely|likely|"
    r"probably)?[,:]?\s*)"
    r"|\banswers?\s*\n+\s*(?=\(?[A-Z](?:[).\s]|$))"
    r"|\b(?:i (?:would )?(?:choose|select|pick|go with)|matches|corresponds to|aligns? with)"
    r"\s+(?=\(?[A-Z]\)|(?:option|choice|answer)\b)"
    r"|\\boxed\s*",
    re.I,
)
# "(B) is the correct answer": the letter stands before its cue.
SUBJECT = re.compile(
    rf"(?:\b{NOUN}\s+\(?([A-Z])\b\)?|[(]([A-Z])[)])"
    rf"(?:(?!{NOUN}\s)[^.\n]){{0,60}}?"
    rf"\s(?:is|are|would be|seems|appears)(?:\s+to be)?\s+(?:the\s+)?(?:{BEST}|answer\b)"
)
# What may stand between a cue and the letter.
NAMED = re.compile(r"\A(?:the\s+)?(?:option|choice|answer|letter)?\s*[:\-]?\s*", re.I)
NOT = re.compile(r"\s*(?:not|neither|none|n/?a|never|unavailable)\b", re.I)
# "not listed among the options", "N/A", "not C": the answer is none of those offered.
NOT_OFFERED = re.compile(
    r"\s*(?:none|n/?a|neither|not\s+(?:explicitly\s+|directly\s+|actually\s+)?"
    r"(?:listed|among|provided|given|included|one|available|present|in|on|possible|determin\w+)|"
    r"not\s+(?:option\s+)?\(?(?-i:[A-Z]))\b",
    re.I,
)
OFFERS_NONE = re.compile(r"\bnone of\b|\bnot (?:listed|among|provided)\b", re.I)

# A letter as a label: (B), [B], B), B., B:, or alone before a comma or the end.
LABEL = re.compile(
    r"[\[(]\s*([A-Za-z])\s*[\])]|([A-Z])(?=\s*(?:[).:,;\n]|$|-\s|—|–))|([a-z])(?=\.?\s*(?:\n|$))"
)
BARE = re.compile(r"([A-Z])\b(?!['’])")
# After a bare letter: a formula goes on, or "A" and "I" are more than article and pronoun.
OPERATOR = re.compile(r"[-/+=*^]|\s*[=+<>]")
ARTICLE_USE = re.compile(r"\s+(?:because|since|as|and|or|which|with)\b|\s*\(")
JOINED = re.compile(
    r"\s*[\])]?\s*(?:,|/|&|\band\b|\bor\b)\s*(?:option\s+)?[\[(]?([A-Z])\b(?![\s]\w)"
)

# Mentions without a cue: "option B", "(B)", "is B." at the end.
STRONG = re.compile(rf"\b{NOUN}\s+[\[(]?([A-Z])\b(?!\s?[=+*/^<>])[\])]?")
MARK = re.compile(r"(?<![\w(])[\[(]([A-Z])[\])]")
ENDS = re.compile(r"\b(?:is|are)\s*:?\s+\(?([A-Z])\)?[.\s]*$")
CONCLUDES = re.compile(
    r"\b(?:therefore|thus|hence|so|correct|answer|best|closest|conclusion)\b", re.I
)
DENIES = re.compile(
    r"\b(?:not|isn['’]?t|neither|nor|eliminate[sd]?|rules? out|except|unlike)\s+"
    r"(?:\w+\s+){0,2}[\[(]?$",
    re.I,
)

# A label with its text, anywhere; and labels that make up a list of options.
LISTED = re.compile(r"(?:^|(?<=\s))[\[(]?([A-Z])[\]).:]\s*")
LIST_MARK = re.compile(r"^\W*?[\[(]?([A-Z])[\]).:]\s|(?<![\w(])[\[(]([A-Z])[\])]", re.M)

NEWLINE = re.compile(r"\n")
# Not after "D.", which is a label.
SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)\s+(?=[A-Z(\[])|\n+")
