"""The commonest refusals in further languages with spaces between words."""

from __future__ import annotations

FURTHER: dict[str, dict[str, tuple[str, ...]]] = {
    "sv": {
        "hints": (r"inte|ingen|omojligt|otillrackligt?|osaker",),
        "not_knowing": (
            r"\b(?:jag vet|vet jag|^vet) (?:det )?inte\b(?! varfor \w)",
            r"\bjag ar (?:inte saker|osaker)\b|\bingen aning\b",
        ),
        "unable": (
            r"\bjag kan (?:\w+ ){0,2}?inte (?:\w+ )?(?:svara|saga|avgora|"
            r"bestamma|se|hjalpa|veta)\b",
        ),
        "unknowable": (
            r"\b(?:gar|kan) inte (?:att )?(?:avgoras?|sagas?|bestammas?|besvaras?|veta)\b",
            r"\bomojligt att (?:saga|avgora|veta)\b|\botillracklig information\b",
        ),
    },
    "da": {
        "hints": (r"ikke|ingen|umuligt|usikker",),
        "not_knowing": (
            r"\b(?:jeg ved|ved jeg|^ved) (?:det )?ikke\b(?! hvorfor \w)",
            r"\bjeg er (?:ikke sikker|usikker)\b|\bingen ide\b|\bingen anelse\b",
        ),
        "unable": (
            r"\bjeg kan (?:\w+ ){0,2}?ikke (?:\w+ )?(?:svare|sige|afgøre|"
            r"bestemme|se|hjælpe|vide)\b",
        ),
        "unknowable": (
            r"\bkan ikke (?:afgøres|siges|bestemmes|besvares)\b",
            r"\bumuligt at (?:sige|afgøre|vide)\b|\b(?:ikke nok|utilstrækkelige?) \w*oplysninger\b",
        ),
    },
    "nb": {
        "hints": (r"ikke|ingen|umulig|usikker",),
        "not_knowing": (
            r"\b(?:jeg vet|vet jeg|^vet) (?:det )?ikke\b(?! hvorfor \w)",
            r"\baner ikke\b",
        ),
        "unable": (
            r"\bjeg kan (?:\w+ ){0,2}?ikke (?:\w+ )?(?:svare|si|avgjøre|bestemme|se|hjelpe|vite)\b",
        ),
        "unknowable": (
            r"\b(?:kan|gar) ikke (?:an )?(?:a )?(?:avgjøres?|sies?|bestemmes?|besvares)\b",
            r"\bumulig a (?:si|avgjøre|vite)\b|\bikke nok informasjon\b",
        ),
    },
    "fi": {
        "hints": (r"en|ei|mahdotonta|mahdoton",),
        "not_knowing": (
            r"^(?:mina )?en (?:tieda|ole varma|osaa sanoa)\b(?! miksi \w)",
            r"\bminulla ei ole (?:aavistustakaan|tietoa)\b|^ei (?:aavistustakaan|hajuakaan)\b",
        ),
        "unable": (r"\ben (?:voi|pysty|osaa) (?:vastata|sanoa|maarittaa|auttaa|tunnistaa)\w*\b",),
        "unknowable": (
            r"\bei voi(?:da|taisi)? (?:paatella|maarittaa|sanoa|tietaa|vastata)\b",
            r"\bmahdotonta (?:sanoa|tietaa|maarittaa)\b|\bei (?:ole )?tarpeeksi tietoa\b",
        ),
    },
    "cs": {
        "hints": (r"ne\w+|nelze|nedostatek|tusim",),
        "not_knowing": (
            r"(?:^|\bja |\bto )nevim\b(?! proc \w)",
            r"\bnejsem si (?:\w+ )?jist[ya]?\b|\bnemam (?:\w+ )?(?:tuseni|poneti)\b",
        ),
        "unable": (
            r"\b(?:nemohu|nemuzu|nedokazu|neumim) (?:\w+ ){0,3}?(?:odpovedet|rici|rict|urcit|"
            r"pomoci|poznat)\b",
        ),
        "unknowable": (
            r"\b(?:nelze|neni mozne) (?:\w+ ){0,2}?(?:urcit|rici|rict|zjistit|odpovedet)\b",
            r"\b(?:nedostatek|nedostatecne) informac\w+\b",
        ),
    },
    "hu": {
        "hints": (r"nem|nincs|lehetetlen|fogalmam",),
        "not_knowing": (
            r"^(?:en )?(?:ezt |azt )?nem tudom\b(?! miert \w)",
            r"\bnem vagyok (?:benne )?biztos\b|\b(?:fogalmam sincs|nincs otletem)\b",
        ),
        "unable": (
            r"\bnem tudok (?:\w+ )?(?:valaszolni|segiteni|valaszt adni)\b",
            r"\bnem tudom (?:meghatarozni|megmondani|megvalaszolni|megallapitani)\b",
        ),
        "unknowable": (
            r"\b(?:nem lehet|lehetetlen) (?:\w+ )?(?:meghatarozni|megmondani"
            r"|megallapitani|tudni)\b",
            r"\bnem (?:hatarozhato|allapithato) meg\b|\bnincs elegendo informacio\b",
        ),
    },
    "ro": {
        "hints": (r"nu|nicio|habar|imposibil|insuficiente",),
        "not_knowing": (
            r"^(?:eu )?nu stiu\b(?! de ce \w)",
            r"\bnu sunt (?:\w+ )?sigura?\b|\bnu am (?:nicio|nici o) idee\b|\b(?:n|nu )?am habar\b",
        ),
        "unable": (
            r"\bnu pot (?:sa )?(?:raspunde?|spune?|determina|identifica|ajuta|raspund|spun)\b",
        ),
        "unknowable": (
            r"\bnu (?:se poate|poate fi|este posibil) (?:sa )?(?:determina\w*|spune|sti|"
            r"raspunde)\b",
            r"\bimposibil de (?:determinat|spus|stiut)\b|\binformatii insuficiente\b",
        ),
    },
    "el": {
        "hints": (r"δεν|δε|αδυνατο|αγνωστο",),
        "not_knowing": (
            r"^(?:εγω )?(?:δεν|δε) (?:το )?(?:ξερω|γνωριζω)\b(?! γιατι \w)",
            r"\b(?:δεν|δε) ειμαι (?:\w+ )?σιγουρ(?:οσ|η)\b|\b(?:δεν|δε) εχω ιδεα\b",
        ),
        "unable": (r"\b(?:δεν|δε) μπορω να (?:\w+ )?(?:απαντησω|πω|προσδιορισω|βοηθησω)\b",),
        "unknowable": (
            r"\b(?:δεν|δε) (?:μπορει να|ειναι δυνατον? να) (?:\w+ )?(?:προσδιοριστει|απαντηθει|"
            r"προσδιορισουμε|καθοριστει)\b",
        ),
    },
    "uk": {
        "hints": (r"не\w*|неможливо|гадки|уявлення",),
        "not_knowing": (
            r"(?:^|\bя |\bя цього )(?:точно )?не знаю\b(?! чому \w)",
            r"\bне (?:впевнении|впевнена)\b|\b(?:гадки|уявлення) не маю\b",
        ),
        "unable": (
            r"\bне (?:можу|зможу) (?:\w+ ){0,3}?(?:сказати|відповісти|визначити|допомогти)\b",
        ),
        "unknowable": (
            r"\b(?:неможливо|не можна) (?:\w+ ){0,2}?(?:визначити|сказати|відповісти)\b",
            r"\bнедостатньо (?:інформаціі|даних)\b",
        ),
    },
    "vi": {
        "hints": (r"khong|chua|chiu",),
        "not_knowing": (
            r"^(?:toi|minh|em) (?:that su )?(?:khong|chua) (?:biet|ro|chac)\b(?! tai sao \w)",
            r"^khong (?:biet|chac|ro)(?:$| (?:cau tra loi|nua)\b)",
        ),
        "unable": (
            r"\b(?:toi|minh) khong the (?:tra loi|xac đinh|noi|biet|giup|nhan dien|nhin)\b",
        ),
        "unknowable": (
            r"^khong the (?:xac đinh|tra loi|biet|noi)\b|\bkhong (?:đu|co đu) thong tin\b",
        ),
    },
    "id": {
        "hints": (r"tidak|tak|kurang|belum",),
        "not_knowing": (
            r"\b(?:saya|aku|kami) (?:tidak|tak|kurang|belum) (?:tahu|yakin|mengetahui)\b"
            r"(?! (?:mengapa|kenapa) \w)",
            r"^(?:tidak|tak) (?:tahu|yakin)$|\btidak punya ide\b",
        ),
        "unable": (
            r"\b(?:saya|kami) (?:tidak|tak) (?:bisa|dapat|mampu) (?:menjawab|menentukan|"
            r"mengatakan|membantu|mengidentifikasi|memastikan|melihat)\b",
        ),
        "unknowable": (
            r"\btidak (?:dapat|bisa|mungkin) (?:ditentukan|dijawab|dipastikan|diketahui)\b",
            r"\b(?:informasi tidak cukup|tidak cukup informasi)\b",
        ),
    },
    "he": {
        "hints": (r"לא|אין|איני|אינני|בלתי",),
        "not_knowing": (
            r"(?:^|\bאני )(?:לא|איני|אינני) (?:יודע|יודעת|בטוח|בטוחה)\b(?! למה \w)",
            r"\bאין לי (?:מושג|תשובה)\b",
        ),
        "unable": (
            r"\bאני לא (?:יכול|יכולה|מסוגל|מסוגלת) (?:לענות|לקבוע|לומר|לזהות|לעזור|לדעת)\b",
        ),
        "unknowable": (
            r"\b(?:לא ניתן|אי אפשר|בלתי אפשרי) (?:לקבוע|לדעת|לומר|לענות)\b|\bאין מספיק מידע\b",
        ),
    },
    "fa": {
        "hints": (r"نمی\w*|مطمین|مطمئن|اطلاعات|ندارم|غیرممکن",),
        "not_knowing": (
            r"(?:^|\bمن )(?:این را )?نمی ?دانم\b(?! چرا \w)",
            r"\bمطم[یئ]ن نیستم\b|\bنظری ندارم\b",
        ),
        "unable": (
            r"\bنمی ?توانم (?:\w+ ){0,3}?(?:پاسخ|جواب|تشخیص|بگویم|تعیین|کمک)\b",
            r"\b(?:پاسخ|جواب|تشخیص|تعیین) (?:\w+ )?نمی ?توانم\b",
        ),
        "unknowable": (
            r"\bنمی ?توان (?:\w+ ){0,3}?(?:تعیین|تشخیص|گفت|پاسخ)\b|\bاطلاعات کافی نیست\b",
        ),
    },
}
