"""Refusals in other languages with spaces between words."""

from __future__ import annotations

SPACED: dict[str, dict[str, tuple[str, ...]]] = {
    "de": {
        "hints": (
            r"nicht|keine|unklar|unbekannt|ungewiss|unzureichende|zu|schwer|unmoglich|unsicher|mir",
        ),
        "not_knowing": (
            r"\bich weiss (?:es |das |die antwort |darauf |auch )*nicht\b(?! (?:nur|warum|"
            r"mehr als))",
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
            r"\bkann (?:\w+ ){0,5}?nicht (?:\w+ ){0,2}?(?:bestimmt|beantwortet|ermittelt|"
            r"festgestellt|"
            r"erkannt|beurteilt) werden\b",
            r"\b(?:nicht|kaum) (?:genug|genugend|ausreichend) (?:informationen|angaben|daten)\b",
            r"\b(?:unzureichende|zu wenig|zu wenige) (?:informationen|angaben|daten)\b",
            r"\b(?:unmoglich|schwer) zu (?:sagen|bestimmen|beantworten|erkennen)\b",
            r"\bnicht (?:erkennbar|ersichtlich|bestimmbar|beantwortbar|zu erkennen|zu bestimmen)\b",
            r"\bes ist (?:unklar|nicht klar)(?:$| (?:ob|was|wer|wie|welche\w*|wo|wann)\b)",
        ),
        "unknown": (
            r"(?:das ist |die antwort ist )?(?:unbekannt|unklar|ungewiss|nicht beantwortbar)",
        ),
    },
    "fr": {
        "hints": (
            r"pas|rien|\w*ignore|aucune|impossible|incapable|saurais|insuffisantes?|manque|"
            r"difficile|inconnue?|indeterminee?|sans|ne",
        ),
        "not_knowing": (
            r"\bje (?:ne )?(?:le )?sais pas\b(?! (?:pourquoi|que) \w)",
            r"\b(?:jen sais rien|je nen sais rien|je n en sais rien|je lignore|je l ignore)\b",
            r"\baucune idee\b",
            r"\bje (?:ne )?suis pas (?:\w+ )?(?:sure?|certaine?)\b",
            r"^pas (?:sure?|certaine?)\b",
        ),
        "unable": (
            r"\bje (?:ne )?(?:peux|puis|pourrais|parviens|"
            r"sais) pas (?:a )?(?:vous )?(?:le )?(?:repondre|"
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
        "unknown": (r"(?:cest |la reponse est )?(?:inconnue?|indeterminee?)",),
        "whole": (r"sans reponse",),
    },
    "es": {
        "hints": (
            r"no|ni|descono\w+|imposible|insuficiente|dificil|prefiero|indeterminad[oa]|sin",
        ),
        "not_knowing": (
            r"\bno lo se\b",
            r"(?:^|\byo )no se(?:$| (?:la respuesta|que|quien|cual|donde|cuanto|cuantos|cuantas|"
            r"como|si)\b)",
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
        "unknown": (r"(?:es |la respuesta es )?(?:desconocid[oa]|indeterminad[oa])",),
        "whole": (r"sin respuesta",),
    },
    "it": {
        "hints": (
            r"non|nessuna|impossibile|insufficienti|abbastanza|difficile|sconosciut[oa]|"
            r"ignot[oa]|indeterminat[oa]|preferisco",
        ),
        "not_knowing": (
            r"\bnon lo so\b",
            r"\bnon so(?:$| (?:la risposta|rispondere|dire|cosa|chi|quale|quanti|quante|dove|"
            r"come|se|dirlo)\b)",
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
            r"\bnon (?:e possibile|si puo) (?:determinar|risponder|saper|dir|stabilir|identificar)"
            r"(?:e|l[oaie]|vi)\b",
            r"\bimpossibile (?:da |e )?(?:determinare|dire|stabilire|sapere|rispondere)\b",
            r"\bnon puo essere (?:determinat|stabilit|conosciut)[oa]\b",
            r"\binformazioni insufficienti\b|\b(?:non ci sono )?abbastanza informazioni\b",
            r"\bdifficile (?:da )?(?:dire|determinare)\b|\bdifficile dirlo\b",
            r"\bnon e chiaro(?:$| (?:se|chi|cosa|quale|dall)\w*)",
        ),
        "unknown": (r"(?:e |la risposta e )?(?:sconosciut[oa]|ignot[oa]|indeterminat[oa])",),
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
            r"\bnao (?:e possivel|se pode|da para) (?:determinar|responder|saber|dizer|"
            r"identificar)\b",
            r"\bimpossivel (?:de |e )?(?:determinar|dizer|saber|responder)\b",
            r"\bnao pode ser (?:determinad|respondid|identificad)[oa]\b",
            r"\bnao ha informac\w+ suficiente|\binformac\w+ insuficiente|"
            r"\bnao ha dados suficientes\b",
            r"\bdificil (?:de )?(?:dizer|saber|determinar)\b",
            r"\bnao (?:esta|e|fica) claro(?:$| (?:se|quem|qual|o|na|a partir|pela)\b)",
        ),
        "unknown": (r"(?:e |a resposta e )?(?:desconhecid[oa]|indeterminad[oa])",),
        "whole": (r"sem resposta",),
    },
    "nl": {
        "hints": (r"niet|geen|on\w+|te|liever",),
        "not_knowing": (
            r"\bik weet (?:het |dat |dit )*niet\b(?! waarom)",
            r"\b(?:dat |het )?weet ik (?:het )?niet\b",
            r"\bgeen (?:flauw )?idee\b",
            r"\b(?:ik ben|ben ik) (?:er |het |hier )*(?:niet (?:\w+ )?zeker|onzeker)\b|"
            r"^niet zeker\b",
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
        "unknown": (r"(?:het is |het antwoord is )?(?:onbekend|onduidelijk|niet bekend)",),
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
            r"\bnie (?:mozna|da sie|sposob) (?:\w+ ){0,2}?(?:okreslic|ustalic|stwierdzic|"
            r"powiedziec|"
            r"odpowiedziec|rozpoznac)\b",
            r"\btrudno (?:powiedziec|stwierdzic|okreslic)\b|\bniemozliwe do (?:okreslenia|"
            r"ustalenia)\b",
            r"\b(?:brak|niewystarczajac\w+|za malo|nie ma wystarczajac\w+) (?:\w+ )?(?:informacji|"
            r"informacje|danych)\b",
            r"\bnie jest jasne\b",
        ),
        "unknown": (r"(?:to )?(?:nieznan[eya]|niejasne|nie wiadomo)",),
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
            r"\b(?:невозможно|нельзя) (?:\w+ ){0,2}?(?:определить|сказать|ответить|установить|"
            r"узнать)\b",
            r"\bнедостаточно (?:информации|данных|сведений)\b",
            r"\b(?:трудно|сложно) (?:сказать|определить)\b",
            r"\b(?:не ясно|неясно|не понятно|непонятно)(?:$| (?:кто|что|как|где|из|какои|"
            r"сколько)\b)",
        ),
        "unknown": (r"(?:это |ответ )?(?:неизвестно|неизвестен|неизвестна|не известно|неясно)",),
    },
    "tr": {
        "hints": (
            r"bil\w+|emin|fikrim|\w+[ae]m\w*|yeter\w+|yetersiz|belirsiz|soylemek|belirlemek|"
            r"anlasil\w+",
        ),
        "not_knowing": (
            r"\b(?:bilmiyorum|bilemiyorum|bilmem)\b(?! neden \w)",
            r"\bemin degilim\b",
            r"\b(?:hicbir |hic )?fikrim yok\b",
        ),
        "unable": (
            r"\b(?:cevaplayam\w+|yanitlayam\w+|soyleyem\w+|belirleyem\w+|goremiyorum|"
            r"tahmin edemem)\b",
            r"\b(?:cevap|yanit) verem\w+\b|\byardimci olam\w+\b",
        ),
        "unknowable": (
            r"\b(?:belirlenem\w+|cevaplanam\w+|bilinem\w+|anlasilam\w+|anlasilmiyor)\b",
            r"\byeterli (?:bilgi|veri) (?:yok|bulunmuyor|mevcut degil)\b|\byetersiz bilgi\b",
            r"\b(?:soylemek|belirlemek|bilmek) (?:zor|imkansiz|mumkun degil)\b",
        ),
        "unknown": (r"(?:bilinmiyor|belirsiz|bilinmeyen)",),
    },
    "ar": {
        "hints": (r"\w*لا|لست|ليس|غير|معلومات|المعلومات|من|يستحيل|مجهول",),
        "not_knowing": (
            r"(?:^|\bانا )(?:لا اعرف|لا اعلم|لا ادري)\b|\bلا (?:اعرف|اعلم) (?:الاجابة|الجواب|"
            r"الاجابه)\b",
            r"\bلست (?:متاكدا|متاكدة|متاكد|واثقا)\b|\bغير متاكد\b",
            r"\bليس (?:لدي|عندي) (?:اي )?فكرة\b|\bلا فكرة لدي\b",
        ),
        "unable": (
            r"\bلا (?:يمكنني|استطيع|اقدر) (?:\w+ )?(?:الاجابة|تحديد|معرفة|القول|الجزم|المساعدة|"
            r"رؤية|ان)\b",
        ),
        "unknowable": (
            r"\b(?:لا يمكن|من المستحيل|يستحيل|من الصعب|لا نستطيع) (?:\w+ )?(?:تحديد|معرفة|"
            r"الاجابة|القول|"
            r"الجزم)\w*\b",
            r"\b(?:معلومات غير كافية|لا توجد معلومات كافية|المعلومات غير كافية)\b",
            r"\b(?:من )?غير الواضح\b",
        ),
        "unknown": (r"(?:غير معروف|غير محدد|غير واضح|مجهول)",),
    },
    "hi": {
        "hints": (r"नहीं|कहना|बताना|अज्ञात|अस्पष्ट|अपर्याप्त",),
        "not_knowing": (
            r"(?:मुझे (?:यह |इसका |इसके बारे में |इसका उत्तर )?(?:नहीं पता|पता नहीं|नहीं मालूम|"
            r"मालूम नहीं))",
            r"^(?:पता नहीं|नहीं पता|मालूम नहीं)",
            r"मैं (?:यह )?नहीं (?:जानता|जानती)",
            r"मुझे (?:यकीन|विश्वास) नहीं|मैं (?:निश्चित|सुनिश्चित) नहीं|मुझे कोई (?:अंदाजा|"
            r"जानकारी) नहीं",
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
        "unknown": (r"(?:अज्ञात|अस्पष्ट|ज्ञात नहीं)(?: है)?",),
    },
}
