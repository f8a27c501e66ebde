"""Texts that say that one does not know, and nothing else, in English.

Over folded words, as the phrases are; each is to match the whole text. What has a second meaning as
an option is left out: "pass", "no answer", "N/A", "none of the above".
"""

from __future__ import annotations

from calib.judge.refusal_phrases.english import KNOWN_FROM

FINDING = "determine|say|tell|know|answer|be (?:sure|certain)|identify|judge|infer|conclude"
FOUND = "determined|said|told|known|answered|identified|judged|inferred|deduced|concluded"
INFO = "information|info|data|details?|evidence|context"
STATES = (
    "known|clear|certain|answerable|determinable",
    "unknown|unclear|uncertain|unsure|unanswerable|undeterminable|undetermined|indeterminable",
)
ANSWER = r"(?:(?:the|this) )?(?:(?:correct|right) )?(?:answer|question)"
SUBJECT = rf"(?:it|this|that|{ANSWER})"
SHOWN = "given|provided|available|shown|visible|more|further|additional|only|the|this|these"
FROM = (
    rf"(?:from|by|with|without|based on|given|in) (?:(?:{SHOWN}) ){{0,3}}(?:{KNOWN_FROM}|{INFO})"
    r"(?: (?:alone|only|given|provided|available|shown|above|itself)){0,2}"
)
ADDED = (
    rf"(?: (?:{SUBJECT}|to (?:{ANSWER}|{FINDING})|about (?:it|this|that)|which(?: one)?|what it is|"
    rf"for (?:sure|certain)|with certainty|yet|here|{FROM}|(?:and|i) dont want to guess|given|"
    r"provided|available)){0,4}"
)
"""What may follow any of these, and a phrase of not knowing, without saying more."""

ALONE = tuple(
    phrase + ADDED
    for phrase in (
        rf"(?:(?:i|we|you|one) )?(?:cant|couldnt) (?:{FINDING})",
        rf"(?:im |were |one is )?(?:unable|not able) to (?:{FINDING})",
        rf"(?:{SUBJECT} )?(?:cant|couldnt|unable to) be (?:{FOUND})",
        rf"(?:(?:its )?impossible|(?:(?:it )?isnt|not) possible|(?:its )?(?:hard|difficult)) "
        rf"(?:for (?:me|us|anyone) )?to (?:{FINDING})",
        rf"(?:its )?no way (?:to (?:{FINDING})|of (?:knowing|telling|saying))",
        rf"(?:(?:it|there) isnt|not|(?:i|we) dont have) (?:enough|sufficient) (?:{INFO})",
        rf"(?:its )?(?:insufficient|too little) (?:{INFO})",
        rf"(?:{SUBJECT} (?:(?:is|remains) )?|its )?(?:not (?:{STATES[0]})|{STATES[1]})",
        rf"(?:{SUBJECT} )?isnt (?:{STATES[0]})",
        r"(?:who|god|nobody|no one) knows",
    )
)
