"""The wordings by which an answer names an option, as regular expressions.

They were fitted by eye to 46,710 published responses of seven models to MMMU-Pro, direct and chain
of thought; ``tests/data/mmmu_pro`` holds an excerpt. They read texts that are ``plain``, with
single spaces, so that no pattern reads a run of white space twice.
"""

from __future__ import annotations

import re
import unicodedata

from calib.judge.wordings import BEFORE, BEHIND, ENDINGS, NAMES, STATES

BEST = r"(?:final|correct|right|best|closest|most likely|most appropriate|nearest)"
NOUN = r"(?:[Oo]ption|[Cc]hoice|[Aa]nswer)"

# Behind a letter that is an option: no more of a word, nor of a name such as "C#", "O-", "k[A]".
EDGE = r"(?![A-Za-z0-9À-ÿ'+#^*=<>/\[%]|-(?!\s)|\(\w)"
# What may stand around a letter that is the whole text; no signs that mean something.
AROUND = r"[\s()\[\]{}.,:;!?\"'_–—<>→⇒∴👉✅*-]*"
AFTER = r"[\s()\[\]{}.,:;!?\"'_。、>\U0001F300-\U0001F64F]*(?:\s[-–—])?"

# \boxed{\text{(B)}}: a letter in a box.
BOXED = re.compile(r"\\boxed\s?\{(?:\\[a-z]+\s?\{)?\(?([A-Z])\)?[^A-Za-z0-9{}]{0,9}\}")

# The whole answer, or a whole line of it, is a letter.
NOUNS = (
    r"(?:option|choice|answer|letter|opci[oó]n|opzione|op[cç][aã]o|alternativa|letra|lettre|lettera|"
    r"choix|r[eé]ponse|respuesta|resposta|risposta|antwort|вариант|буква|ответ|답|정답|答え|选项|選項|答案|選択肢)?"
)
ALONE = re.compile(rf"{NOUNS}{AROUND}([A-Za-z]){AFTER}", re.I)
ALONE_TOGETHER = re.compile(
    rf"(?:(?i:both|either)\s+)?\(?[A-Z]\)?(?:\s*(?:,|&|/|and\b|or\b)\s*\(?[A-Z]\b\)?)+{AFTER}"
)
LONE = re.compile(rf"{AROUND}([A-Z]){AFTER}")

# "The correct answer is", "Answer:", "the closest option to 3 m would be", "I choose option".
CUE = re.compile(
    rf"(?:\b{BEST}\s+){{0,3}}\b(?:answers?|ans|solution|choice|option|response|letter)"
    r"(?:\s+(?:choice|option|letter))?"
    r"(?:\s+(?:to|for|among|from|of|in|based on)\s[^.:\n]{1,80}?)?"
    r"(?:[\"']?\s*[:=]\s*|'s\s+|\s+[-–—]\s+(?=\(?[A-Z]\b)|"
    r"\s+(?:is|are|was|would be|should be|must be|will be|might be|could be|has to be|"
    r"appears to be|seems to be)\b\s*[:=]?\s*(?:therefore|thus|indeed|"
    r"most likely|likely|probably|clearly|definitely)?[,:]?\s*)"
    r"|\banswers?\s*\n+\s*(?=\(?[A-Z](?:[).\s]|$))"
    r"|\b(?:i (?:would )?(?:choose|select|pick|go with)|matches|corresponds to|aligns? with)"
    r"\s+(?=\(?[A-Z]\)|(?:option|choice|answer)\b)"
    rf"|{unicodedata.normalize('NFKC', '|'.join(BEFORE))}",
    re.I,
)
# "It is B", "I would go with B.", "Definitely B": a letter that ends its clause.
HEDGES = (
    r"(?:(?:definitely|probably|clearly|certainly|surely|likely|most likely|obviously|therefore|"
    r"thus|indeed|actually|simply|just)\s+)?"
)
PICKS = (
    r"(?:go(?:ing)?\s+(?:with|for)|choose|chose|pick|picked|select|selected|say|guess|vote\s+for|"
    r"opt\s+for|bet\s+on|settle\s+on|lean(?:ing)?\s+towards?|take|answer)"
)
STATED = re.compile(
    r"(?:(?<![\w'])(?:"
    r"(?:it|that|this)(?:'s|\s+(?:is|would\s+be|must\s+be|should\s+be|has\s+to\s+be|could\s+only\s+be|"
    r"can\s+only\s+be))"
    rf"|(?:we|let's|let\s+us)\s+{HEDGES}{PICKS}|i(?:'d|'ll|'m|\s+(?:would|will|shall|am|must|have\s+to))?\s+{HEDGES}{PICKS}"
    r"|mine\s+is|the\s+(?:right|correct)\s+one\s+is|my\s+(?:best\s+|final\s+)?(?:pick|choice|guess|vote|selection)(?:\s+(?:is|would\s+be)|\s*:)"
    rf")\s+|(?:^|[.!?\n]\s*)(?:select|choose|pick|choosing|picking|selecting|must\s+be|should\s+be)\s+"
    r"|(?:^|[.,;:!?\n—–]\s*)(?:definitely|probably|clearly|certainly|surely|maybe|perhaps|(?:most\s+)?likely|"
    r"obviously|so|thus|therefore|hence|then|ok|okay|well|sure|no|wait|actually|sorry|rather)"
    r"[,:]?\s+"
    rf"|\bnot\s+(?:option\s+)?\(?(?-i:[A-Z])\)?(?:,?\s+but\s+(?:rather\s+)?|[.;]\s+)|(?:{'|'.join(STATES)}))"
    rf"{HEDGES}(?:(?:the\s+)?(?:option|choice|answer|letter)\s+)?"
    r"(?-i:\(([A-Za-z])\)|\"?([A-Z])\"?|([b-h])(?=[.!]?\s?\Z))(?=\s*(?:[.,;:!?)\n—–]|$)|\s+(?:because|since|as|and\s+not|not|over|rather\s+than|instead)\b)",
    re.I,
)
# Before such a statement: it is supposed, or denied.
SUPPOSED = re.compile(
    r"\b(?:if|whether|unless|suppos\w+|assum\w+|initially|originally|at\s+first|not|never|doubt|cannot|says?|said|claims?)\b"
    r"[^.,;\n]{0,25}\Z|n't\b[^.;\n]{0,25}\Z",
    re.I,
)
# The same in other languages, up to the letter; and behind a letter.
FOREIGN_NOT = re.compile(
    r"\b(?:no\s+es|non\s+è|não\s+é|nao\s+é|не\s+это|это\s+не|не\s+выбираю)\b|不是|並非|并非", re.I
)
NOT_BEHIND = re.compile(
    r"[)\]\"']*\s*(?:(?:가|이|은|는)\s*아니|ではな|ではありません|じゃな|でない|değil|नहीं|不是|不对|不對)"
)
# Right before a cue: it gives an answer that is wrong, or another's.
OTHERS = re.compile(
    r"\b(?:wrong|incorrect|worst|least\s+\w+|previous|earlier|initial|original|his|her|their|"
    r"second(?:[ -]best)?|opposite of(?: the)?|not (?:the|a|my)) \Z",
    re.I,
)
# An answer takes back what it has said before; its last statement counts.
CORRECTS = re.compile(
    r"(?:[.!?…;,。—–\n]|\s-)\s*(?:(?:oh|oops|hmm|but|ah)\b[,.!…]*\s+)?"
    r"(?:no\b(?=\s?[,;:!…—–]|\s-|\.\s+\D|\.\.)|(?:no,?\s+)?wait\b|actually\b|correction\b|"
    r"scratch\s+that|on\s+second\s+thoughts?|i\s+mean\b|i\s+was\s+wrong|不对|不對|不,|いや)"
    r"[\s,.;:!…。—–-]*",
    re.I,
)
# A letter that labels what follows: "B. No, it shrinks".
LABELS = re.compile(r"(?<![^\W_])([A-Z])\Z")
# Right behind the label that begins an answer: words that deny it. Then: labels of a list.
DENIED_LABEL = re.compile(
    r"\W*(?:incorrect|wrong|false|no|nope|not\s+(?:it|this|that|right|correct))\b\s*(?:[.,;!]|\Z)"
    r"|[\])]*\s+is\s+(?:not|wrong|incorrect)\b",
    re.I,
)
OF_A_LIST = re.compile(r"[^.\n]{1,60}[,;]\s+\(?[A-Z][).:]\s")
NUMBER = re.compile(r"\s*[-+]?\d+(?:\.\d+)?\s*")
NUMBERS_ON = re.compile(r"\s*[,+=/*×÷–-]\s*[-+]?\d|[.)]\s")
# Two guesses are no answer.
MAYBE = re.compile(r"\b(?i:maybe|perhaps|possibly)\s+(?:option\s+)?\(?([A-Z])\b(?!\s\w)")
# Right before a letter that is called correct: another one, joined to it or its label.
OTHER_LABEL = re.compile(r"\b[A-Z][)\]]?\s?(?:[,/&.:;]|,?\s?and\b|,?\s?or\b)\s?[(\"\[]?\Z")
# Right behind a letter that was stated: it is taken back.
TAKEN_BACK = re.compile(
    r"\bbut\s+(?:this|it|that)(?:\s+is\s+(?:not|wrong|incorrect)\b|\s+isn't\b)", re.I
)
# "(B) is the correct answer", "B is right": the letter stands before its cue.
COPULA = r"\s+(?:is|would\s+be|must\s+be|seems|appears|looks)(?:\s+to\s+be)?\s+"
SUBJECT = re.compile(
    rf"(?:\b{NOUN}\s+\(?([A-Z])\b\)?|[(]([A-Z])[)])"
    rf"(?:(?!{NOUN}\s)[^.\n]){{0,60}}?"
    rf"\s(?:is|are|would be|seems|appears)(?:\s+to be)?\s+(?:the\s+)?(?:{BEST}|answer\b)"
)
BARE_SUBJECT = re.compile(
    r"(?:\A|[.,;:!?\n—–]\s*|\b(?:so|thus|therefore|hence|that|think|believe|say|but|while|whereas|"
    r"conclude|clearly|only|then)\s+|选项|選項|選択肢)[\"(]?(?-i:([A-Z]))[\")]?"
    rf"(?:{COPULA}{HEDGES}(?:(?:the|my)\s+)?(?:{BEST}|answer|choice|pick)\b(?!\s+(?:if|that)\b)|\s+it\s+is\b|\s+is\s+(?:the\s+one|what\s+i)\b|"
    rf"{'|'.join(BEHIND)})",
    re.I,
)
# Abbreviations of what a letter then numbers: "see fig. B".
ABBREVIATED = re.compile(
    r"\b(?:vit|figs?|tab|sect?|eqs?|no|al|approx|col|para|apt|ch|vol|pp?|ref|type)\.\s*\(?\Z", re.I
)
# The last clause of an answer is a letter: "A and B are wrong; C".
LAST_CLAUSE = re.compile(
    r"[a-z]{2}[\"')]?\s?[;:,.!?—–]\s+(?:(?:so|thus|hence|then)\s*,?\s*)?\(?([A-Z])\)?[.!]?\s*\Z"
)
# What may stand between a cue and the letter.
NAMED = re.compile(rf"\A(?:(?:{NAMES})\s*){{0,3}}(?::\s*|-\s+(?=[(\[]?[^\W\d_]))?", re.I)
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
    r"[\[(]\s?([A-Za-z])\s?[\])](?![\^A-Za-z0-9(\[])|[\"']?([A-Z])[\"']?(?=\s?(?:[).:,;!?。、\n\]}]|$|-\s|—|–))"
    r"|([a-z])(?=\.?\s*(?:\n|$)|\))"
)
# A label that begins the answer: also "B - ".
FIRST = re.compile(
    r"[^\w\n]{0,10}?[\[(]?([A-Z])(?:[\]).:。、](?!\w\.)\s*|\s-(?:\s+|$)|\s?[–—]\s?|(?<![AI])\s(?=\()|\s+(?=(?:because|since)\b)|"
    r"(?=\?)|(?=,\s+(?:not|because|since|as|I\s+(?:think|believe|guess))\b)|"
    r"(?<![AI])(?=\s(?:I\s(?:think|believe|guess)|probably|obviously|definitely|clearly)\b)|"
    rf"\s*{ENDINGS})"
)
MORE_LABELS = re.compile(r"[\[(]?[A-Z][\]).](?:\s|\Z)")
# The same with a small letter: its text must follow.
LOWER_FIRST = re.compile(r"[^\w\n]{0,10}?[\[(]?([a-z])[\]).:]\s?")
BARE = re.compile(rf"([A-Z]){EDGE}")
# After a bare letter: a formula goes on. Then: "A" and "I" are no article and no pronoun.
OPERATOR = re.compile(r"[-/+=*^×≤≥≠≈~#%]|\s*[=+<>≤≥≠≈×]")
ARTICLE_USE = re.compile(r"\s+(?:because|since|as|and|or|which|with)\b|\s*\(")
JOINED = re.compile(
    r"\s?[\])]?\s?(?:(?:[,/、])\s?[\[(]?([A-Z])\b(?!\s\w)"
    r"|(?:,\s?)?(?:&|\band\b|\bor\b)\s?(?:also\s+)?(?:option\s+)?[\[(]?([B-HJ-Z]\b|[AI]\b(?!\s\w)))"
)

# Mentions without a cue: "option B", "(B)", "is B." at the end.
STRONG = re.compile(rf"\b{NOUN}\s+[\[(]?([A-Z])\b(?!\s?[=+*/^<>])[\])]?")
MARK = re.compile(r"(?<![\w(])[\[(]([A-Z])[\])]")
ENDS = re.compile(r"\b(?:is|are)\s*:?\s+\(?([A-Z])\)?[.\s]*$")
CONCLUDES = re.compile(
    r"\b(?:therefore|thus|hence|so|correct|answer|best|closest|conclusion)\b", re.I
)
DENIES = re.compile(
    r"\b(?:not|never|(?:is|do|does|did|can|would|should)n['’]?t|neither|nor|opposite\s+of|consider|"
    r"eliminate[sd]?|rules? out|except|unlike)\s+"
    r"(?:\w+\s+){0,2}[\[(]?\Z",
    re.I,
)

DENIED_AFTER = re.compile(
    r"[)\]]?\s(?:is|are|was|seems?|appears?|looks?|can|should|must|would)(?:n't|\snot)?\s(?:\w+\s)?"
    r"(?:incorrect|wrong|false|invalid|untrue|impossible|eliminated|ruled\sout|excluded)\b"
    r"|[)\]]?\s(?:(?:only\s)?if|says)\b"
    r"|[)\]]?\s(?:(?:is|are|was|does|can|would)(?:\snot|n't)|cannot)\b",
    re.I,
)

# A label with its text, anywhere; and labels that make up a list of options.
LISTED = re.compile(r"(?:^|(?<=\s))[\[(]?([A-Z])[\]).:]\s*")
LIST_MARK = re.compile(r"^[^\w\n]{0,10}?[\[(]?([A-Z])[\]).:]\s|(?<![\w(])[\[(]([A-Z])[\])]", re.M)

# Not after "D.", which is a label.
SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)\s+(?=[A-Z(\[])|\n+")
# Where the first clause of a sentence ends; Chinese and Japanese put no space there.
CLAUSE = re.compile(
    r"[.,;:](?=\s)|\s[-–—]\s(?!\s?[\d√(])|[。、]|[.,;:!?](?=[^\x00-\x7f])|\s+(?=(?:because|since)\b)"
)
# A word at the beginning of a clause that may be yes or no, where it is a clause by itself or
# another begins; "no doubt", "no one" and "No. 5" are none.
POLAR_CLAUSE = re.compile(
    r"(?:\A|[.,;:!?。、\n—–]\s*)(?:(?:so|thus|therefore|hence|then|but)\b,?\s*)?"
    r"(?:(?:i(?:'d|\s+would)?\s+(?:say|think|guess|go\s+with|believe|answer)|it(?:'s|\s+is)\s+a)\s+)?"
    r"[\"'(*]?([^\W\d_]{1,6})[\"')]?"
    r"(?=\s?[.,;:!?。、\n—–]|\s-\s|\s*\Z|\s(?:because|since|as|there|it|they|he|she|i|we|you)\b)",
    re.I,
)
NUMBERED = re.compile(r"\W*no\.\s?\d", re.I)
# Letters of other alphabets that look like a label and have its place there as well, or none.
LATIN = {"А": "A", "С": "C", "Α": "A", "Β": "B", "Ε": "E"}
LOOK_ALIKES = re.compile(rf"(?<!\w)[{''.join(LATIN)}](?=[).:,;\n]|\s*\Z)")
