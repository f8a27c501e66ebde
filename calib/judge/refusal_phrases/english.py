"""Refusals in English."""

from __future__ import annotations

KNOWN_FROM = (
    "image|images|picture|pictures|photo|photograph|figure|text|passage|video|diagram|context|"
    "screenshot|chart|graph|document|article|paragraph|question|information|caption|scene|map|table"
)
START = (
    r"^(?:(?:well|um|hmm|oh|no|ok|but|sorry|im sorry|im|answer|my answer is|the answer is|and|so) "
    r")*"
)
ANSWERING = (
    "answer|determine|identify|tell|say|assist|help|provide|give|analy[sz]e|interpret|view|"
    f"see (?:(?:the|this|that|any|your|an) )?(?:{KNOWN_FROM})|see (?:what|who|which|where|how|"
    "clearly|enough|well|it)"
)
MORE_ANSWERING = (
    f"{ANSWERING}|know|guess|infer|make out|confirm|verify|be (?:sure|certain)|comment|speculate|"
    "recogni[sz]e|judge|ascertain|conclude|offer|describe|discern|decide|respond|comply|fulfill|"
    "read (?:the|this|it)|calculate|choose|select|diagnose"
)
# "I can't help but notice", "I cannot say that it is red", "I can't identify any errors".
NOT_REFUSING = (
    r"(?! (?:but|apart|that (?:it|this)|enough|any (?!person|people|individual|real|specific|"
    r"answer|information|image|further|more|assistance)))"
)
FINDING = (
    "determine|say|tell|know|answer|be (?:sure|certain)|identify|judge|infer|ascertain|conclude"
)
FOUND = (
    "answered|known|inferred|deduced|concluded|established|ascertained|verified|identified|told|"
    "decided|discerned"
)
# "determined by the image" is a refusal, "determined by its cover" none; nor is what only the
# options offered do not answer.
BY_SOMETHING_ELSE = (
    rf" by (?!(?:the|this|these|only|given) (?:\w+ ){{0,2}}(?:{KNOWN_FROM})|looking|viewing|just)"
)
NOT_UNKNOWABLE = rf"(?!{BY_SOMETHING_ELSE}| (?:\w+ ){{0,3}}(?:options|choices))"
# "Don't know much about history is a line by Sam Cooke".
NOT_TITLE = (
    r"(?! (?!if|whether|what|who|which|that)\w+ .{0,60}"
    r"\bis (?:a|the) (?:line|song|lyric|title|quote)\b)"
)
CLEAR = (
    rf"(?:$|(?:from|whether|if|what|who|how|which|where|when|based|to me|given|as to)\b|"
    rf"in the (?:{KNOWN_FROM})\b)"
)

ENGLISH: dict[str, tuple[str, ...]] = {
    "hints": (
        r"\w*nt|no|not|un\w+|in\w+|im\w*|idk|i?dunno|beats|lack|never|who|god|na?|pass|hard|"
        r"difficult|tough|tricky|too|decline|refuse|rather|prefer|choose|please|could|can|need|require|"
        r"i|skip|"
        r"ask|without|sorry",
    ),
    "not_knowing": (
        r"\bi dont know\b(?! (?:why|how come) \w)",
        r"\bidk\b",
        r"\bi ?dunno\b",
        r"\bim not (?:\w+ )?(?:sure|certain|confident)\b(?!-)",
        r"\bim (?:unsure|uncertain)\b",
        r"\b(?:ive|i have|i dont have|i got) (?:no|any|the \w+) (?:idea|clue)\b",
        r"\b(?:ive|i have) no (?:answer|knowledge|way of)\b",
        r"\bdont know and dont want to guess\b",
    ),
    "elliptical": (
        rf"{START}dont know\b(?! (?:why|how come) \w){NOT_TITLE}",
        r"^dunno\b",
        rf"{START}not (?:\w+ )?sure\b(?!-)",
        rf"{START}unsure$",
        rf"{START}no (?:idea|clue)\b(?! (?:is|was|can|will|has|should|could)\b)",
        r"^beats me\b",
    ),
    "unable": (
        rf"\b(?:i|we) (?:cant|couldnt|am unable to|was unable to|wasnt able to) "
        rf"(?:{ANSWERING})\b{NOT_REFUSING}",
        rf"\bi (?:cant|couldnt) (?:{MORE_ANSWERING})\b{NOT_REFUSING}",
        r"\bi wont (?:answer|guess|assist|help|identify|comment|speculate)\b",
        r"\bim (?:unable|not able) to\b",
        rf"\bwere (?:unable|not able) to (?:{ANSWERING})\b",
        r"\bsorry (?:but )?(?:i )?(?:cant|couldnt|wont|unable to|im unable)\b(?! help but)",
        r"\b(?:id|i|we) (?:rather|prefer|would rather|choose|will|would prefer) not "
        r"(?:to )?(?:guess|say|answer|speculate|respond)\b",
        r"\bi (?:(?:must|have to|will|respectfully) )*(?:refuse|decline) to (?:guess|say|answer|"
        r"speculate|comment|respond)\b",
        r"\bi (?:cant|couldnt|didnt) find (?:the|an|any) (?:correct )?answer\b",
        r"\bas an? (?:ai|artificial|language|large|text|vision)\b.{0,200}"
        r"\b(?:i|im) (?:cant|dont|unable|not able|lack|not)\b",
        r"\bi (?:dont have|lack) (?:\w+ ){0,2}(?:information|info|knowledge|context|data|"
        r"details|"
        r"evidence)\b(?! (?:that|which)\b)",
        r"\bi dont have (?:an|the|any) answer\b",
        r"\bi(?:ve)? (?:dont have|no) access to\b",
    ),
    "unknowable": (
        rf"\b(?:cant|couldnt|unable to) be (?:\w+ly )?determined\b(?!{BY_SOMETHING_ELSE})",
        r"\b(?:impossible|isnt possible|not possible) to (?:determine|say|tell|"
        r"answer)\b(?! apart)",
        r"\b(?:not enough|isnt enough|insufficient) (?:information|info)\b(?! \w+ing)",
        r"\b(?:question|problem) (?:is|its) (?:unanswerable|not answerable)\b",
    ),
    "short": (
        rf"\bquestion (?:\w+ )?cant be (?:\w+ly )?answered\b{NOT_UNKNOWABLE}",
        rf"{START}(?:not (?:\w+ )?(?:certain|confident)|uncertain)$",
        rf"{START}(?:cant|couldnt|wont|unable to|"
        rf"not able to) (?:{MORE_ANSWERING})\b{NOT_REFUSING}",
        r"\bwe (?:dont have|lack) (?:\w+ ){0,2}(?:information|info|context|data|details)\b",
        r"\bwe cant (?:be (?:sure|certain)|know|infer|conclude|confirm)\b",
        rf"\b(?:cant|couldnt|can never|unable to) be (?:\w+ly )?(?:{FOUND})\b{NOT_UNKNOWABLE}",
        rf"\b(?:impossible|isnt possible|not possible|no way) (?:for \w+ )?to (?:\w+ly )?"
        rf"(?:{FINDING})\b(?! apart)",
        r"\b(?:no|isnt any) way of (?:knowing|telling|determining)\b",
        r"\b(?:not enough|isnt enough|insufficient|inadequate) (?:\w+ )?(?:data|context|"
        r"details?|"
        r"information|info)\b(?! \w+ing)",
        rf"(?:\bits |\bit |{START}|\banswer is |\bit remains )(?:unclear|not clear|"
        rf"isnt clear) ?{CLEAR}",
        r"\b(?:its|it|answer)(?: is)? (?:unanswerable|not answerable|undeterminable|"
        r"indeterminable)\b",
        rf"\bno (?:{KNOWN_FROM}|attachment|file) (?:was|is|were|are|has been|have been) (?:\w+ )?"
        r"(?:provided|attached|given|uploaded|supplied|shared)\b(?!.{0,100}\b(?:but|so|because|therefore)\b)",
    ),
    "weak": (
        r"\bwe dont know\b(?! why)",
        rf"(?<!isnt )(?<!not )(?:hard|difficult|tough|tricky) to (?:{FINDING})\b"
        r"(?! (?:apart|no|goodbye))",
        rf"\b(?:{KNOWN_FROM}) (?:itself )?(?:doesnt|dont|didnt) (?:\w+ )?(?:show|say|contain|"
        r"provide|specify|mention|include|give|indicate|state|depict|reveal|tell|display|offer|"
        r"answer|allow)\b",
        rf"(?<!which )(?<!that )(?:is |its |it )?(?:isnt|not|arent) (?:\w+ )?(?:mentioned|"
        rf"specified|"
        rf"stated|given|provided|shown|visible|indicated|described|known|discernible) (?:in|"
        rf"by|from) "
        rf"the (?:\w+ )?(?:{KNOWN_FROM})\b",
        r"\b(?:its|there are) no (?:\w+ )?(?:information|data|evidence|indication|context) "
        r"(?:about|on|to|in|regarding|for|given|provided|available)\b",
        rf"\b(?:isnt|not) (?:sure|certain|possible) (?:from|based on) the (?:{KNOWN_FROM})\b",
        rf"\b(?:{KNOWN_FROM}) is too (?:blurry|blurred|dark|small|unclear|pixelated|grainy|faint|"
        r"low-resolution|low resolution|fuzzy|distorted) (?:to|for)\b",
        r"\b(?:need|require) (?:more|additional|further) (?:\w+ )?(?:information|context|"
        r"details)\b",
        r"\b(?:please|could you|can you) (?:\w+ )?(?:provide|share|upload) (?:\w+ ){0,3}"
        rf"(?:{KNOWN_FROM}|details)\b",
    ),
    "whole": (
        r"(?:its |the answer is |answer |it remains )?(?:indeterminate|n a|na|not applicable|"
        r"not available|unidentifiable|not specified|unspecified)",
        r"(?:im |i )?(?:cant|wont|couldnt|unable|pass|skip)(?: (?:answer|do (?:that|this|"
        r"it)))?",
        r"(?:no|without|none) answer(?: (?:given|available|possible))?",
        r"no comment|i (?:have to )?pass|i give up|i forgot|"
        r"ask someone else",
        r"(?:it|that|this) (?:isnt (?:said|sure)|cant be (?:clear|sure|certain))",
    ),
}
