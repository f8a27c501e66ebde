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
``whole``        says so only as the whole answer
``hints``        words of which one stands in every such sentence; others are not looked at further
"""

from __future__ import annotations

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

KNOWN_FROM = (
    "image|images|picture|pictures|photo|photograph|figure|text|passage|video|diagram|context|"
    "screenshot|chart|graph|document|article|paragraph|question|information|caption|scene|map|table"
)
START = r"^(?:(?:well|um|hmm|oh|no|ok|but|sorry|im sorry|im|answer|my answer is|the answer is|and|so) )*"
ANSWERING = (
    "answer|determine|identify|tell|say|assist|help|provide|give|analy[sz]e|interpret|view|"
    f"see (?:(?:the|this|that|any|your|an) )?(?:{KNOWN_FROM})|see (?:what|who|which|where|how|clearly|"
    "enough|well|it)"
)
MORE_ANSWERING = (
    f"{ANSWERING}|know|guess|infer|make out|confirm|verify|be (?:sure|certain)|comment|speculate|"
    "recogni[sz]e|judge|ascertain|conclude|offer|describe|discern|decide|respond|comply|fulfill|"
    "read (?:the|this|it)|calculate|choose|select|diagnose"
)
# "I can't help but notice", "I cannot say that it is red", "I can't identify any errors".
NOT_REFUSING = (
    r"(?! (?:but|apart|that (?:it|this)|enough|any (?!person|people|individual|real|specific|answer|"
    r"information|image|further|more|assistance)))"
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
CLEAR = (
    rf"(?:$|(?:from|whether|if|what|who|how|which|where|when|based|to me|given|as to)\b|"
    rf"in the (?:{KNOWN_FROM})\b)"
)

PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "hints": (
            r"\w*nt|no|not|un\w+|in\w+|im\w*|idk|i?dunno|beats|lack|never|who|god|na?|pass|hard|"
            r"difficult|tough|tricky|refuse|rather|prefer|choose|please|could|can|need|require|i|skip|"
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
            rf"{START}dont know\b(?! (?:why|how come) \w)",
            r"^dunno\b",
            rf"{START}not (?:\w+ )?(?:sure|certain|confident)\b(?!-)",
            rf"{START}(?:unsure|uncertain)$",
            rf"{START}no (?:idea|clue)\b",
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
            r"\bi refuse to (?:guess|say|answer|speculate)\b",
            r"\bas an? (?:ai|artificial|language|large|text|vision)\b.{0,200}"
            r"\b(?:i|im) (?:cant|dont|unable|not able|lack|not)\b",
            r"\bi (?:dont have|lack) (?:\w+ ){0,2}(?:information|info|knowledge|context|data|details|"
            r"evidence)\b(?! (?:that|which)\b)",
            r"\bi dont have (?:an|the|any) answer\b",
            r"\bi(?:ve)? (?:dont have|no) access to\b",
        ),
        "unknowable": (
            rf"\b(?:cant|couldnt|unable to) be (?:\w+ly )?determined\b(?!{BY_SOMETHING_ELSE})",
            rf"\bquestion (?:\w+ )?cant be (?:\w+ly )?answered\b{NOT_UNKNOWABLE}",
            r"\b(?:impossible|isnt possible|not possible) to (?:determine|say|tell|answer)\b(?! apart)",
            r"\b(?:not enough|isnt enough|insufficient) (?:information|info)\b(?! \w+ing)",
            r"\b(?:question|problem) (?:is|its) (?:unanswerable|not answerable)\b",
        ),
        "short": (
            rf"{START}(?:cant|couldnt|wont|unable to|not able to) (?:{MORE_ANSWERING})\b{NOT_REFUSING}",
            r"\bwe (?:dont have|lack) (?:\w+ ){0,2}(?:information|info|context|data|details)\b",
            r"\bwe cant (?:be (?:sure|certain)|know|infer|conclude|confirm)\b",
            rf"\b(?:cant|couldnt|can never|unable to) be (?:\w+ly )?(?:{FOUND})\b{NOT_UNKNOWABLE}",
            rf"\b(?:impossible|isnt possible|not possible|no way) (?:for \w+ )?to (?:\w+ly )?"
            rf"(?:{FINDING})\b(?! apart)",
            r"\b(?:no|isnt any) way of (?:knowing|telling|determining)\b",
            r"\b(?:not enough|isnt enough|insufficient|inadequate) (?:\w+ )?(?:data|context|details?|"
            r"information|info)\b(?! \w+ing)",
            rf"(?:\bits |\bit |{START}|\banswer is |\bit remains )(?:unclear|not clear|isnt clear) ?{CLEAR}",
            r"\b(?:its|it|answer)(?: is)? (?:unanswerable|not answerable|undeterminable|"
            r"indeterminable)\b",
        ),
        "weak": (
            r"\bwe dont know\b(?! why)",
            rf"(?<!isnt )(?<!not )(?:hard|difficult|tough|tricky) to (?:{FINDING})\b"
            r"(?! (?:apart|no|goodbye))",
            rf"\b(?:{KNOWN_FROM}) (?:itself )?(?:doesnt|dont|didnt) (?:\w+ )?(?:show|say|contain|"
            r"provide|specify|mention|include|give|indicate|state|depict|reveal|tell|display|offer|"
            r"answer|allow)\b",
            rf"(?<!which )(?<!that )(?:is |its |it )?(?:isnt|not|arent) (?:\w+ )?(?:mentioned|specified|"
            rf"stated|given|provided|shown|visible|indicated|described|known|discernible) (?:in|by|from) "
            rf"the (?:\w+ )?(?:{KNOWN_FROM})\b",
            r"\b(?:its|there are) no (?:\w+ )?(?:information|data|evidence|indication|context) "
            r"(?:about|on|to|in|regarding|for|given|provided|available)\b",
            rf"\b(?:isnt|not) (?:sure|certain|possible) (?:from|based on) the (?:{KNOWN_FROM})\b",
            r"\b(?:need|require) (?:more|additional|further) (?:\w+ )?(?:information|context|details)\b",
            r"\b(?:please|could you|can you) (?:\w+ )?(?:provide|share|upload) (?:\w+ ){0,3}"
            rf"(?:{KNOWN_FROM}|details)\b",
        ),
        "whole": (
            r"(?:its |the answer is |answer |that is |it remains |currently )?(?:unknown|unclear|"
            r"undetermined|indeterminate|indeterminable|unanswerable|unsure|uncertain|not known|"
            r"not clear|not certain|not answerable|not determinable|undeterminable|"
            r"n a|na|not applicable|not available|unidentifiable|not specified|unspecified)",
            r"(?:im |i )?(?:cant|wont|couldnt|unable|pass|skip)(?: (?:answer|do (?:that|this|it)))?",
            r"(?:no|without|none) answer(?: (?:given|available|possible))?",
            r"who knows|god knows|no comment|i (?:have to )?pass|i give up|i forgot|ask someone else",
            r"(?:it|that|this) (?:isnt|cant be) (?:known|clear|said|sure|certain)",
        ),
    },
    "de": {
        "hints": (r"nicht|keine|unklar|unbekannt|ungewiss|unzureichende|zu|schwer|unmoglich|unsicher|mir",),
        "not_knowing": (
            r"\bich weiss (?:es |das |die antwort |darauf |auch )*nicht\b(?! (?:nur|warum|mehr als))",
            r"^(?:das |es )?weiss (?:ich )?(?:es |das )?nicht\b(?! warum)",
            r"\bkeine ahnung\b",
            r"\b(?:ich bin|bin ich|^bin) (?:mir |da |dessen )*(?:nicht sicher|unsicher)\b",
            r"\b(?:ich )?bin mir (?:da )?(?:nicht sicher|unsicher)\b",
            r"^(?:nicht sicher|unsicher)$",
            r"\bich habe keine antwort\b",
        ),
        "unable": (
            r"\b(?:ich kann|kann ich|konnte ich|ich konnte) (?:\w+ ){0,6}?nicht (?:\w+ ){0,3}?"
            r"(?:sagen|beantworten|erkennen|bestimmen|beurteilen|feststellen|helfen|sehen|wissen|"
            r"antworten|identifizieren|ermitteln|erraten|raten)\b",
            r"\bich mochte nicht raten\b",
            r"\b(?:mir fehlen|ich habe (?:\w+ )?(?:nicht genug|nicht genugend|zu wenig|keine)) "
            r"(?:\w+ )?(?:informationen|angaben|infos)\b",
        ),
        "unknowable": (
            r"\blasst sich (?:\w+ ){0,5}?nicht (?:\w+ ){0,2}?(?:bestimmen|sagen|beantworten|"
            r"feststellen|erkennen|beurteilen|ermitteln)\b",
            r"\bkann (?:\w+ ){0,5}?nicht (?:\w+ ){0,2}?(?:bestimmt|beantwortet|ermittelt|festgestellt|"
            r"erkannt|beurteilt) werden\b",
            r"\b(?:nicht|kaum) (?:genug|genugend|ausreichend) (?:informationen|angaben|daten)\b",
            r"\b(?:unzureichende|zu wenig|zu wenige) (?:informationen|angaben|daten)\b",
            r"\b(?:unmoglich|schwer) zu (?:sagen|bestimmen|beantworten|erkennen)\b",
            r"\bnicht (?:erkennbar|ersichtlich|bestimmbar|beantwortbar|zu erkennen|zu bestimmen)\b",
            r"\bes ist (?:unklar|nicht klar)(?:$| (?:ob|was|wer|wie|welche\w*|wo|wann)\b)",
        ),
        "whole": (r"(?:das ist |die antwort ist )?(?:unbekannt|unklar|ungewiss|nicht beantwortbar)",),
    },
    "fr": {
        "hints": (r"pas|rien|\w*ignore|aucune|impossible|incapable|saurais|insuffisantes?|manque|difficile|inconnue?|indeterminee?|sans|ne",),
        "not_knowing": (
            r"\bje (?:ne )?(?:le )?sais pas\b(?! (?:pourquoi|que) \w)",
            r"\b(?:jen sais rien|je nen sais rien|je n en sais rien|je lignore|je l ignore)\b",
            r"\baucune idee\b",
            r"\bje (?:ne )?suis pas (?:\w+ )?(?:sure?|certaine?)\b",
            r"^pas (?:sure?|certaine?)\b",
        ),
        "unable": (
            r"\bje (?:ne )?(?:peux|puis|pourrais|parviens|sais) pas (?:a )?(?:vous )?(?:le )?(?:repondre|"
            r"dire|determiner|identifier|voir|savoir|aider|preciser|confirmer|reconnaitre)\b",
            r"\bje ne saurais (?:pas )?(?:le )?(?:dire|repondre)\b",
            r"\bje suis (?:incapable|dans l ?impossibilite) d",
            r"\bje (?:ne )?prefere (?:ne )?pas (?:deviner|repondre|dire)\b",
            r"\bje nai pas (?:assez|suffisamment) d",
        ),
        "unknowable": (
            r"\b(?:on|nous) ne (?:peut|pouvons) pas (?:le )?(?:dire|savoir|determiner|repondre)\b",
            r"\b(?:impossible|nest pas possible|pas possible) (?:a|de) (?:le )?(?:dire|determiner|"
            r"repondre|savoir|identifier)\b",
            r"\bne peut (?:pas )?etre (?:determinee?|connue?|identifiee?)\b",
            r"\b(?:pas assez|pas suffisamment) d ?(?:informations?|elements|donnees)\b",
            r"\binformations? insuffisantes?\b|\bmanque d ?informations?\b",
            r"\bdifficile a (?:dire|determiner)\b",
            r"\b(?:ce )?nest pas clair(?:$| (?:si|qui|ce|d))",
        ),
        "whole": (r"(?:cest |la reponse est )?(?:inconnue?|indeterminee?|inconnu|sans reponse)",),
    },
    "es": {
        "hints": (r"no|ni|descono\w+|imposible|insuficiente|dificil|prefiero|indeterminad[oa]|sin",),
        "not_knowing": (
            r"\bno lo se\b",
            r"(?:^|\byo )no se(?:$| (?:la respuesta|que|quien|cual|donde|cuanto|cuantos|cuantas|como|si)\b)",
            r"\bno estoy (?:\w+ )?segur[oa]\b",
            r"\bno tengo (?:ni )?(?:la menor |la mas minima |ninguna )?idea\b|^ni idea\b",
            r"\bdesconozco\b",
            r"\bno sabria (?:decir|responder)",
            r"^no (?:segur[oa]|se)$",
        ),
        "unable": (
            r"\bno (?:puedo|podria|pude|logro) (?:\w+ )?(?:responder|decir|decirlo|determinar|"
            r"determinarlo|identificar|saber|saberlo|ver|ayudar|ayudarte|contestar|adivinar)\w*\b",
            r"\bprefiero no (?:adivinar|responder|decir)\b",
            r"\bno (?:tengo|dispongo de) (?:\w+ )?(?:suficiente )?informacion\b",
        ),
        "unknowable": (
            r"\bno se (?:puede|sabe|podria)(?: (?:determinar|saber|responder|decir|identificar)|$)",
            r"\bno es posible (?:determinar|saber|responder|decir|identificar)",
            r"\bimposible (?:de |es )?(?:determinar|saber|decir|responder)",
            r"\bno puede (?:ser )?(?:determinarse|determinad[oa]|saberse)\b",
            r"\bno hay (?:suficiente informacion|informacion suficiente|suficientes datos)\b",
            r"\binformacion insuficiente\b",
            r"\b(?:es )?dificil (?:de )?(?:decir|saber|determinar)(?:lo)?\b",
            r"\bno (?:esta|queda|es) claro(?:$| (?:si|que|quien|cual|en|por)\b)",
        ),
        "whole": (r"(?:es |la respuesta es )?(?:desconocid[oa]|indeterminad[oa]|sin respuesta)",),
    },
    "it": {
        "hints": (r"non|nessuna|impossibile|insufficienti|abbastanza|difficile|sconosciut[oa]|ignot[oa]|indeterminat[oa]|preferisco",),
        "not_knowing": (
            r"\bnon lo so\b",
            r"\bnon so(?:$| (?:la risposta|rispondere|dire|cosa|chi|quale|quanti|quante|dove|come|se|dirlo)\b)",
            r"\bnon (?:ne )?sono (?:\w+ )?(?:sicur[oa]|cert[oa])\b",
            r"\bnon (?:ne )?ho (?:la minima |nessuna |alcuna )?idea\b|^nessuna idea\b",
        ),
        "unable": (
            r"\bnon (?:posso|riesco a|potrei|saprei) (?:\w+ )?(?:rispondere|dire|dirlo|determinare|"
            r"identificare|sapere|vedere|aiutart\w|aiutare|capire|indovinare|stabilire)\b",
            r"\bpreferisco non (?:indovinare|rispondere|dire)\b",
            r"\bnon ho (?:abbastanza|sufficienti) informazioni\b",
        ),
        "unknowable": (
            r"\bnon (?:e possibile|si puo) (?:determinare|rispondere|sapere|dire|stabilire|identificare)\b",
            r"\bimpossibile (?:da |e )?(?:determinare|dire|stabilire|sapere|rispondere)\b",
            r"\bnon puo essere (?:determinat|stabilit|conosciut)[oa]\b",
            r"\binformazioni insufficienti\b|\b(?:non ci sono )?abbastanza informazioni\b",
            r"\bdifficile (?:da )?(?:dire|determinare)\b|\bdifficile dirlo\b",
            r"\bnon e chiaro(?:$| (?:se|chi|cosa|quale|dall)\w*)",
        ),
        "whole": (r"(?:e |la risposta e )?(?:sconosciut[oa]|ignot[oa]|indeterminat[oa])",),
    },
    "pt": {
        "hints": (r"nao|sem|descon\w+|impossivel|insuficientes?|dificil|prefiro|indeterminad[oa]",),
        "not_knowing": (
            r"\bnao sei\b(?! por ?que \w)",
            r"\bnao (?:tenho|estou) (?:\w+ )?(?:certeza|cert[oa]|segur[oa])\b",
            r"\bnao (?:faco|tenho) (?:a menor |nenhuma |a minima )?ideia\b|^sem ideia\b",
            r"\bdesconheco\b",
        ),
        "unable": (
            r"\bnao (?:posso|consigo|poderia|saberia) (?:\w+ )?(?:responder|dizer|determinar|"
            r"identificar|saber|ver|ajudar|afirmar|adivinhar)\b",
            r"\bprefiro nao (?:adivinhar|responder|dizer)\b",
            r"\bnao tenho informac\w+ suficiente",
        ),
        "unknowable": (
            r"\bnao (?:e possivel|se pode|da para) (?:determinar|responder|saber|dizer|identificar)\b",
            r"\bimpossivel (?:de |e )?(?:determinar|dizer|saber|responder)\b",
            r"\bnao pode ser (?:determinad|respondid|identificad)[oa]\b",
            r"\bnao ha informac\w+ suficiente|\binformac\w+ insuficiente|\bnao ha dados suficientes\b",
            r"\bdificil (?:de )?(?:dizer|saber|determinar)\b",
            r"\bnao (?:esta|e|fica) claro(?:$| (?:se|quem|qual|o|na|a partir|pela)\b)",
        ),
        "whole": (r"(?:e |a resposta e )?(?:desconhecid[oa]|indeterminad[oa]|sem resposta)",),
    },
    "nl": {
        "hints": (r"niet|geen|on\w+|te|liever",),
        "not_knowing": (
            r"\bik weet (?:het |dat |dit )*niet\b(?! waarom)",
            r"\b(?:dat |het )?weet ik (?:het )?niet\b",
            r"\bgeen (?:flauw )?idee\b",
            r"\b(?:ik ben|ben ik) (?:er |het |hier )*(?:niet (?:\w+ )?zeker|onzeker)\b|^niet zeker\b",
        ),
        "unable": (
            r"\b(?:ik kan|kan ik) (?:\w+ ){0,5}?niet (?:\w+ )?(?:zeggen|beantwoorden|bepalen|zien|"
            r"herkennen|weten|helpen|antwoorden|vaststellen|identificeren)\b",
            r"\bik (?:ga|wil|raad) liever niet\b",
        ),
        "unknowable": (
            r"\bkan (?:\w+ ){0,4}?niet (?:worden )?(?:bepaald|beantwoord|vastgesteld)\b",
            r"\bniet te (?:bepalen|zeggen|beantwoorden|achterhalen)\b",
            r"\b(?:onvoldoende|niet genoeg|niet voldoende|te weinig) (?:informatie|gegevens)\b",
            r"\b(?:moeilijk|onmogelijk) te (?:zeggen|bepalen)\b",
            r"\bhet is (?:onduidelijk|niet duidelijk)(?:$| (?:of|wie|wat|welke?|hoe|uit)\b)",
        ),
        "whole": (r"(?:het is |het antwoord is )?(?:onbekend|onduidelijk|niet bekend)",),
    },
    "pl": {
        "hints": (r"nie\w*|brak|trudno|malo|wole",),
        "not_knowing": (
            r"\bnie wiem\b(?! dlaczego \w)",
            r"\bnie jestem (?:\w+ )?(?:pewien|pewny|pewna)\b",
            r"\b(?:nie mam|brak) pojecia\b",
        ),
        "unable": (
            r"\bnie (?:moge|potrafie|umiem|jestem w stanie) (?:\w+ ){0,3}?(?:odpowiedziec|okreslic|"
            r"powiedziec|stwierdzic|ustalic|rozpoznac|pomoc)\b",
            r"\bwole nie zgadywac\b",
        ),
        "unknowable": (
            r"\bnie (?:mozna|da sie|sposob) (?:\w+ ){0,2}?(?:okreslic|ustalic|stwierdzic|powiedziec|"
            r"odpowiedziec|rozpoznac)\b",
            r"\btrudno (?:powiedziec|stwierdzic|okreslic)\b|\bniemozliwe do (?:okreslenia|ustalenia)\b",
            r"\b(?:brak|niewystarczajac\w+|za malo|nie ma wystarczajac\w+) (?:\w+ )?(?:informacji|"
            r"informacje|danych)\b",
            r"\bnie jest jasne\b",
        ),
        "whole": (r"(?:to )?(?:nieznan[eya]|niejasne|nie wiadomo)",),
    },
    "ru": {
        "hints": (r"не\w*|нельзя|без|затрудняюсь|трудно|сложно|понятия|представления",),
        "not_knowing": (
            r"(?:^|\bя |\bя этого |\bа я |\bк сожалению )(?:точно )?не знаю\b(?! почему \w)",
            r"\b(?:я )?не (?:уверен|уверена)\b(?! в себе)",
            r"\b(?:понятия|представления) не имею\b|\bбез понятия\b",
        ),
        "unable": (
            r"\b(?:я |мы )?не (?:могу|можем|смогу) (?:\w+ ){0,3}?(?:сказать|ответить|определить|"
            r"помочь|узнать|распознать|установить|увидеть|назвать|утверждать)\b",
            r"\bзатрудняюсь (?:\w+ )?(?:ответить|сказать)\b",
            r"\bне (?:хочу|буду|стану) гадать\b",
            r"\bу меня (?:нет|недостаточно) (?:\w+ )?(?:информации|данных|ответа)\b",
        ),
        "unknowable": (
            r"\b(?:невозможно|нельзя) (?:\w+ ){0,2}?(?:определить|сказать|ответить|установить|узнать)\b",
            r"\bнедостаточно (?:информации|данных|сведений)\b",
            r"\b(?:трудно|сложно) (?:сказать|определить)\b",
            r"\b(?:не ясно|неясно|не понятно|непонятно)(?:$| (?:кто|что|как|где|из|какои|сколько)\b)",
        ),
        "whole": (r"(?:это |ответ )?(?:неизвестно|неизвестен|неизвестна|не известно|неясно)",),
    },
    "tr": {
        "hints": (r"bil\w+|emin|fikrim|\w+[ae]m\w*|yeter\w+|yetersiz|belirsiz|soylemek|belirlemek|anlasil\w+",),
        "not_knowing": (
            r"\b(?:bilmiyorum|bilemiyorum|bilmem)\b(?! neden \w)",
            r"\bemin degilim\b",
            r"\b(?:hicbir |hic )?fikrim yok\b",
        ),
        "unable": (
            r"\b(?:cevaplayam\w+|yanitlayam\w+|soyleyem\w+|belirleyem\w+|goremiyorum|tahmin edemem)\b",
            r"\b(?:cevap|yanit) verem\w+\b|\byardimci olam\w+\b",
        ),
        "unknowable": (
            r"\b(?:belirlenem\w+|cevaplanam\w+|bilinem\w+|anlasilam\w+|anlasilmiyor)\b",
            r"\byeterli (?:bilgi|veri) (?:yok|bulunmuyor|mevcut degil)\b|\byetersiz bilgi\b",
            r"\b(?:soylemek|belirlemek|bilmek) (?:zor|imkansiz|mumkun degil)\b",
        ),
        "whole": (r"(?:bilinmiyor|belirsiz|bilinmeyen)",),
    },
    "ar": {
        "hints": (r"\w*لا|لست|ليس|غير|معلومات|المعلومات|من|يستحيل|مجهول",),
        "not_knowing": (
            r"(?:^|\bانا )(?:لا اعرف|لا اعلم|لا ادري)\b|\bلا (?:اعرف|اعلم) (?:الاجابة|الجواب|الاجابه)\b",
            r"\bلست (?:متاكدا|متاكدة|متاكد|واثقا)\b|\bغير متاكد\b",
            r"\bليس (?:لدي|عندي) (?:اي )?فكرة\b|\bلا فكرة لدي\b",
        ),
        "unable": (
            r"\bلا (?:يمكنني|استطيع|اقدر) (?:\w+ )?(?:الاجابة|تحديد|معرفة|القول|الجزم|المساعدة|رؤية|ان)\b",
        ),
        "unknowable": (
            r"\b(?:لا يمكن|من المستحيل|يستحيل|من الصعب|لا نستطيع) (?:\w+ )?(?:تحديد|معرفة|الاجابة|القول|"
            r"الجزم)\w*\b",
            r"\b(?:معلومات غير كافية|لا توجد معلومات كافية|المعلومات غير كافية)\b",
            r"\b(?:من )?غير الواضح\b",
        ),
        "whole": (r"(?:غير معروف|غير محدد|غير واضح|مجهول)",),
    },
    "hi": {
        "hints": (r"नहीं|कहना|बताना|अज्ञात|अस्पष्ट|अपर्याप्त",),
        "not_knowing": (
            r"(?:मुझे (?:यह |इसका |इसके बारे में |इसका उत्तर )?(?:नहीं पता|पता नहीं|नहीं मालूम|मालूम नहीं))",
            r"^(?:पता नहीं|नहीं पता|मालूम नहीं)",
            r"मैं (?:यह )?नहीं (?:जानता|जानती)",
            r"मुझे (?:यकीन|विश्वास) नहीं|मैं (?:निश्चित|सुनिश्चित) नहीं|मुझे कोई (?:अंदाजा|जानकारी) नहीं",
        ),
        "unable": (
            r"(?:मैं .{0,60})?(?:बता|कह|जवाब दे|उत्तर दे|पहचान) नहीं (?:सकता|सकती|सकते)",
            r"मैं .{0,60}नहीं (?:बता|कह|दे|पहचान) (?:सकता|सकती)",
        ),
        "unknowable": (
            r"(?:निर्धारित|तय|ज्ञात) नहीं किया जा सकता",
            r"(?:कहना|बताना) (?:मुश्किल|असंभव|कठिन|संभव नहीं)",
            r"(?:पर्याप्त|काफी) जानकारी नहीं|अपर्याप्त जानकारी|(?:यह )?स्पष्ट नहीं है",
        ),
        "whole": (r"(?:अज्ञात|अस्पष्ट|ज्ञात नहीं)(?: है)?",),
    },
}
# Languages without spaces: looked for in the sentence as it stands, its spaces left out.
# What says who does not know, when that is not the speaker, stands in OTHERS.
UNSPACED: dict[str, dict[str, tuple[str, ...]]] = {
    "zh": {
        "not_knowing": (
            r"(?:^|我|我们|我們|确实|確實|真的|实在|實在|也|还|[,，、])(?:不知道|不晓得|不曉得|不太清楚|不清楚|"
            r"不太确定|不确定|不太確定|不確定|没有把握|沒有把握)(?!自己|的是)",
            r"(?:我|我对此|^|对此|毫)(?:没有头绪|毫无头绪|没有任何想法|一无所知|不了解)",
        ),
        "unable": (
            r"(?:我|我们|我們|^|[,，]|抱歉|恐怕)(?:无法|無法|不能|没法|沒法|没办法|沒辦法)(?:准确|準確|直接|确切)?(?:回答|"
            r"确定|確定|判断|判斷|识别|識別|知道|告诉|告訴|看到|看清|提供|说|說|得知|辨认|分辨|协助|帮助|給出|给出)",
            r"我(?:不想|不愿|不願)(?:猜|乱猜|亂猜)",
        ),
        "unknowable": (
            r"(?:无法|無法|不能|难以|難以|无从|無從)(?:从.{0,20}|根据.{0,20}|被)?(?:确定|確定|判断|判斷|得知|回答|知道|推断|推斷|"
            r"看出)",
            r"(?:信息|資訊|资料|資料|數據|数据|条件)(?:不足|不够|不夠|不充分)|没有(?:足够|足夠|提供足够)的?(?:信息|資訊|資料)",
            r"(?:很难|很難)(?:说|說|判断|判斷|确定|確定)|说不准|說不準|不好说|看不出来|看不出來|看不清",
        ),
        "whole": (r"(?:答案)?(?:是)?(?:未知|不明|不详|不詳|不清楚|不确定|無法確定|無解)",),
    },
    "ja": {
        "not_knowing": (
            r"(?:わか|分か|判)(?:りません|らない|りかねます|んない)(?:$|です|ので|が|けど|、|,|と)",
            r"(?:知りません|存じません|知らないです|知らない$)",
            r"(?:自信が(?:ありません|ない)|確信が(?:持てません|ありません)|見当(?:が|も)つ(?:きません|かない))",
        ),
        "unable": (
            r"(?:お)?(?:答え|回答|応え)(?:することは|することが)?(?:られません|できません|できない|しかねます|られない)",
            r"(?:判断|特定|確認|識別|断定|回答|お手伝い|推測)(?:は|が|することは|することが)?(?:でき(?:ません|ない)|しかねます)",
        ),
        "unknowable": (
            r"(?:情報|データ)が(?:不足|足り(?:ません|ない))|十分な情報が(?:ありません|ない)",
            r"(?:判別|判断|特定|確定)(?:不能|不可能)|(?:明らか|明確)ではありません|はっきりしません|言えません",
        ),
        "whole": (r"(?:答えは)?(?:不明|不詳|未知)(?:です|である)?",),
    },
    "ko": {
        "not_knowing": (
            r"(?:모르겠(?:습니다|어요|네요|다|음|어|는데)|(?:^|저는|나는|전|난|잘)모(?:릅니다|른다|르지만|름|라요))",
            r"확실(?:하지|치)않(?:습니다|아요|다|음|네요)|확신(?:이없|할수없|하지못)",
            r"(?:전혀)?감이(?:안잡|오지않)",
        ),
        "unable": (
            r"(?:대답|답변|답|말씀|말|판단|확인|식별|도움|도와|결정)(?:을|를|은)?(?:드릴|할|드리기|하기|줄)?"
            r"(?:수(?:가|는)?없|어렵|곤란)(?:습니다|어요|다|음|네요)",
        ),
        "unknowable": (
            r"(?:알|판단할|확인할|결정할|파악할|특정할|알아낼)수(?:가|는)?없(?:습니다|어요|다|음|네요|는)",
            r"정보가(?:부족|충분하지않|없)|불분명|명확하지않",
        ),
        "whole": (r"(?:정답은|답은)?(?:알수없음|모름|불명|미상|알려지지않음)(?:입니다)?",),
    },
}

# After "I don't know": the clause it is about. "but" behind that clause says the answer after all.
CLAUSES = (
    "why|if|whether|about|how|what|who|where|which|that|when|of|warum|ob|was|wer|wie|pourquoi|si|ce|"
    "qui|por que|porque|si|que|quien|perche|se|cosa|chi|waarom|of|почему|что|кто|как|dlaczego|czy|co"
)
BUT = (
    "but|however|aber|sondern|doch|mais|pero|sino|ma|mas|porem|maar|но|однако|ale|ama|fakat|لكن|लेकिन"
)
# Before it: someone else's words.
REPORTED = (
    "said|says|say|saying|replied|replies|answered|responded|titled|called|named|song|film|movie|book|"
    "he|she|they|who|you|people|sagte|dijo|dit|disse|сказал|сказала"
)
OTHERS = r"他|她|它|他们|她们|人们|大家|谁|彼|彼女|彼ら|그는|그녀는|그들은"
# A conclusion, with which a sentence about what an image lacks is an answer: "no, it does not show".
CONCLUDES = (
    "so (?:the|it|there|this|that|no)|answer [a-z]|therefore|thus|hence|but|instead|only|because|also|means"
)
