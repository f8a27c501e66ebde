"""How answers say that they do not know or cannot answer, by language.

Each entry is a regular expression over folded words (``refusal.words_of``): lower case without
accents, apostrophes and FILLERS, contracted as in CONTRACTIONS, one space between words. ``^`` and
``$`` are the ends of a sentence.

``not_knowing``  the speaker does not know: also the wording of an "I don't know" option
``elliptical``   the same without "I": an option, or a sentence of a short answer
``unable``       the speaker cannot or will not answer
``unknowable``   nobody can know it from what is given
``short``        says so only in a short answer: longer ones say it of a step on their way
``weak``         says so only in a short answer that does not go on to conclude anything
``unknown``      says so only as the whole answer or option
``whole``        says so only as the whole answer, not as an option
``hints``        words of which one stands in every such sentence; others are not looked at further
"""

from __future__ import annotations

from calib.judge.refusal_phrases.alone import ADDED, ALONE
from calib.judge.refusal_phrases.english import ENGLISH
from calib.judge.refusal_phrases.further import FURTHER
from calib.judge.refusal_phrases.spaced import SPACED
from calib.judge.refusal_phrases.unspaced import UNSPACED

__all__ = ["ADDED", "ALONE", "PHRASES", "UNSPACED"]

PHRASES = {"en": ENGLISH, **SPACED, **FURTHER}

# Words that strengthen or soften a refusal and say nothing else.
FILLERS = frozenset(
    """
    absolutely accurately actually afraid completely conclusively confidently currently
    definitively directly entirely exactly fully genuinely honestly just quite really reliably
    simply sincerely still totally truly unfortunately precisely frankly
    leider wirklich ehrlich echt malheureusement desole vraiment lamentablemente realmente
    lo-siento purtroppo davvero infelizmente helaas echt niestety naprawde maalesef
    """.split()
)
CONTRACTIONS = (
    (r"\b(can|could|do|does|did|is|are|was|will|would|should) not\b", r"\1nt"),
    (r"\b(?:cannot|cannt)\b", "cant"),
    (r"\bwillnt\b", "wont"),
    (r"\bi am\b", "im"),
    (r"\bi have\b", "ive"),
    (r"\bi would\b", "id"),
    (r"\bwe are\b", "were"),
    (r"\b(?:(?:it|that|this|there) is|thats|theres)\b", "its"),
    (r"\bits not\b", "it isnt"),
)

# After "I don't know": the clause it is about. "but" behind that clause says the answer after all.
CLAUSES = (
    "why|if|whether|about|how|what|who|where|which|that|when|of|warum|ob|was|wer|wie|pourquoi|"
    "si|ce|"
    "qui|por que|porque|si|que|quien|perche|se|cosa|chi|waarom|of|почему|что|кто|как|dlaczego|"
    "czy|co"
)
BUT = (
    "but|however|aber|sondern|doch|mais|pero|sino|ma|mas|porem|maar|но|однако|ale|ama|fakat|"
    "لكن|लेकिन"
)
# Before it: someone else's words.
REPORTED = (
    "said|says|say|saying|replied|replies|answered|responded|titled|called|named|song|film|"
    "movie|book|"
    "he|she|they|who|you|people|sagte|dijo|dit|disse|сказал|сказала"
)
# A song or book so called is someone else's words as well.
OTHERS = (
    r"他|她|它|他们|她们|人们|大家|谁|彼|彼女|彼ら|그는|그녀는|그들은|"
    r"という(?:歌|曲|本|映画|題|タイトル|言葉|名)"
)
# With one of these, a sentence about what an image lacks is an answer: "no, it shows no dog".
CONCLUDES = (
    "so (?:the|it|there|this|that|no)|answer [a-z]|therefore|thus|hence|but|instead|only|because|"
    "also|means"
)
