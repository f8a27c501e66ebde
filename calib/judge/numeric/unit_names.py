"""Names of units beside those of pint, and words after a number that are none."""

from __future__ import annotations

# As written -> pint's name. A word of another language stands without its plural ending where that
# is one of "s", "n", "en", "er".
ALIASES = {
    **{"Mm": "megameter", "Gb": "gigabit", "Mb": "megabit", "Tb": "terabit", "mM": "millimolar"},
    **{"sqm": "meter**2", "sqft": "foot**2", "sqkm": "kilometer**2"},
    **{"″": "inch", "Å": "angstrom", "ℓ": "liter", "cc": "cubic_centimeter", "ltr": "liter"},
    **{"lbs": "pound", "kgs": "kilogram", "hrs": "hour", "yrs": "year", "mins": "minute"},
    **{"secs": "second", "wk": "week", "wks": "week", "mth": "month", "mo": "month"},
    **{"mi": "mile", "sq": "square", "rpm": "rpm", "sec": "second", "a.u.": "astronomical_unit"},
    **{"celcius": "degree_Celsius", "centigrade": "degree_Celsius", "kelvins": "kelvin"},
    **{"C°": "degree_Celsius", "F°": "degree_Fahrenheit"},
    **{"hz": "hertz", "khz": "kilohertz", "mhz": "megahertz", "ghz": "gigahertz"},
    **{"kg": "kilogram", "km": "kilometer", "cm": "centimeter", "mm": "millimeter"},
    **{"kpa": "kilopascal", "kj": "kilojoule", "kw": "kilowatt", "kwh": "kilowatt_hour"},
    **{"ev": "electron_volt", "kev": "kiloelectron_volt", "kv": "kilovolt", "db": "decibel"},
    **{"mmhg": "mmHg", "ml": "milliliter", "kb": "kilobyte", "gb": "gigabyte", "tb": "terabyte"},
    **{"kcal": "kilocalorie", "kbps": "kilobit/s", "mph": "mile_per_hour", "kmh": "km/hour"},
    **{
        "kmph": "km/hour",
        "mcg": "microgram",
        "fl": "fluid_ounce",
        "ohms": "ohm",
        "kohm": "kiloohm",
    },
    # German, Dutch
    **{"zoll": "inch", "fuß": "foot", "fuss": "foot", "meile": "mile", "stunde": "hour"},
    **{"sekunde": "second", "tag": "day", "tage": "day", "woche": "week", "monat": "month"},
    **{"monate": "month", "jahr": "year", "jahre": "year", "gramm": "gram", "grad": "degree"},
    **{"kilogramm": "kilogram", "pfund": "pound", "tonne": "metric_ton", "stunden": "hour"},
    **{"uur": "hour", "dag": "day", "jaar": "year", "maand": "month", "kilometern": "kilometer"},
    # French
    **{"mètre": "meter", "kilomètre": "kilometer", "centimètre": "centimeter", "pouce": "inch"},
    **{"millimètre": "millimeter", "heure": "hour", "seconde": "second", "jour": "day"},
    **{"semaine": "week", "mois": "month", "année": "year", "gramme": "gram", "pied": "foot"},
    **{"kilogramme": "kilogram", "degré": "degree", "an": "year", "ans": "year", "litre": "liter"},
    # Spanish, Portuguese, Italian
    **{"metro": "meter", "metri": "meter", "kilómetro": "kilometer", "quilômetro": "kilometer"},
    **{"centímetro": "centimeter", "centimetro": "centimeter", "centimetri": "centimeter"},
    **{"milímetro": "millimeter", "chilometro": "kilometer", "chilometri": "kilometer"},
    **{"pulgada": "inch", "polegada": "inch", "pollice": "inch", "pollici": "inch", "pie": "foot"},
    **{"hora": "hour", "ora": "hour", "ore": "hour", "minuto": "minute", "minuti": "minute"},
    **{"segundo": "second", "secondo": "second", "secondi": "second", "día": "day", "dia": "day"},
    **{"giorno": "day", "giorni": "day", "mes": "month", "año": "year", "ano": "year"},
    **{"anno": "year", "anni": "year", "gramo": "gram", "grama": "gram", "grammo": "gram"},
    **{"grammi": "gram", "kilogramo": "kilogram", "quilograma": "kilogram", "libra": "pound"},
    **{"litro": "liter", "litri": "liter", "grado": "degree", "grau": "degree", "gradi": "degree"},
    # Polish, Turkish
    **{"metr": "meter", "metrów": "meter", "godzin": "hour", "saat": "hour", "metre": "meter"},
    **{
        "santimetre": "centimeter",
        "kilometre": "kilometer",
        "dakika": "minute",
        "saniye": "second",
    },
    # Russian
    **{"м": "meter", "км": "kilometer", "см": "centimeter", "мм": "millimeter", "г": "gram"},
    **{
        "кг": "kilogram",
        "с": "second",
        "сек": "second",
        "мин": "minute",
        "ч": "hour",
        "л": "liter",
    },
    **{"мл": "milliliter", "метр": "meter", "метра": "meter", "метров": "meter", "час": "hour"},
    **{"часа": "hour", "часов": "hour", "минут": "minute", "секунд": "second", "Гц": "hertz"},
    **{"кГц": "kilohertz", "МГц": "megahertz", "ГГц": "gigahertz", "Н": "newton", "Дж": "joule"},
    **{"кДж": "kilojoule", "Вт": "watt", "кВт": "kilowatt", "Па": "pascal", "кПа": "kilopascal"},
    **{"Ом": "ohm", "кОм": "kiloohm", "В": "volt", "А": "ampere", "дюйм": "inch", "дюймов": "inch"},
    # Arabic, Hindi
    **{"متر": "meter", "كم": "kilometer", "سم": "centimeter", "كجم": "kilogram", "ساعة": "hour"},
    **{"मीटर": "meter", "किमी": "kilometer", "सेमी": "centimeter", "किलोग्राम": "kilogram"},
}
# Scripts without spaces: the longest of these that begins the text after a number.
SCRIPT_UNITS = {
    **{
        "平方米": "meter**2",
        "立方米": "meter**3",
        "平方公里": "kilometer**2",
        "摄氏度": "degree_Celsius",
    },
    **{"公里": "kilometer", "千米": "kilometer", "厘米": "centimeter", "毫米": "millimeter"},
    **{"米": "meter", "英寸": "inch", "英尺": "foot", "英里": "mile", "公斤": "kilogram"},
    **{"千克": "kilogram", "毫克": "milligram", "克": "gram", "吨": "metric_ton", "秒": "second"},
    **{"分钟": "minute", "小时": "hour", "天": "day", "周": "week", "个月": "month", "年": "year"},
    **{
        "升": "liter",
        "毫升": "milliliter",
        "千赫": "kilohertz",
        "兆赫": "megahertz",
        "赫兹": "hertz",
    },
    **{
        "欧姆": "ohm",
        "千欧": "kiloohm",
        "牛顿": "newton",
        "焦耳": "joule",
        "瓦": "watt",
        "度": "degree",
    },
    **{"元": "currency_yuan", "美元": "currency_dollar", "欧元": "currency_euro"},
    **{"メートル": "meter", "キロメートル": "kilometer", "センチメートル": "centimeter"},
    **{"センチ": "centimeter", "ミリメートル": "millimeter", "キロ": "kilogram", "グラム": "gram"},
    **{"キログラム": "kilogram", "インチ": "inch", "フィート": "foot", "マイル": "mile"},
    **{"時間": "hour", "分": "minute", "日": "day", "週間": "week", "リットル": "liter"},
    **{"円": "currency_yen", "ドル": "currency_dollar", "ユーロ": "currency_euro"},
    **{
        "미터": "meter",
        "킬로미터": "kilometer",
        "센티미터": "centimeter",
        "밀리미터": "millimeter",
    },
    **{"킬로그램": "kilogram", "그램": "gram", "인치": "inch", "피트": "foot", "마일": "mile"},
    **{"시간": "hour", "분": "minute", "초": "second", "일": "day", "년": "year", "리터": "liter"},
    **{"원": "currency_won", "달러": "currency_dollar", "유로": "currency_euro", "%": "percent"},
}
# The signs before or after an amount; each currency is a dimension of its own. One sign may stand
# for several currencies.
CURRENCIES = {
    **dict.fromkeys(
        ("$", "dollar", "dollars", "usd", "us$", "bucks", "dólares", "dólar"), "dollar"
    ),
    **dict.fromkeys(("€", "euro", "euros", "eur"), "euro"),
    **dict.fromkeys(("£", "gbp", "quid", "sterling"), "sterling"),
    **dict.fromkeys(("yen", "jpy"), "yen"),
    **dict.fromkeys(("yuan", "cny", "rmb", "renminbi"), "yuan"),
    **dict.fromkeys(("₹", "inr", "rupee", "rupees", "rs"), "rupee"),
    **dict.fromkeys(("₩", "krw", "won"), "won"),
    **dict.fromkeys(("₽", "rub", "ruble", "rubles", "rouble", "roubles"), "ruble"),
    **dict.fromkeys(("chf", "francs", "franc"), "franc"),
    **dict.fromkeys(("₿", "btc", "bitcoin", "bitcoins"), "bitcoin"),
    **dict.fromkeys(("₺", "lira", "try"), "lira"),
    **dict.fromkeys(("₫", "vnd", "dong"), "dong"),
    **dict.fromkeys(("฿", "thb", "baht"), "baht"),
    **dict.fromkeys(("₪", "ils", "shekel", "shekels"), "shekel"),
    **dict.fromkeys(("zł", "pln", "zloty"), "zloty"),
    **{"us_dollar": "dollar", "australian_dollar": "australian", "canadian_dollar": "canadian"},
    **{"swiss_franc": "franc", "indian_rupee": "rupee", "japanese_yen": "yen"},
    **{"pounds_sterling": "sterling", "pound_sterling": "sterling", "british_pound": "sterling"},
    **{
        "chinese_yuan": "yuan",
        "¥": "yen",
        "aud": "australian",
        "cad": "canadian",
        "pesos": "peso",
        "peso": "peso",
    },
}
CENTS = frozenset(("cent", "cents", "¢"))
PERCENT = frozenset(
    "% percent pct percentage prozent procent percento porcento procenta процент процентов "
    "процента".split()
)
PERCENT_PAIRS = frozenset(
    ("per cent", "pour cent", "por ciento", "por cento", "per cento", "yüzde")
)
# Factors of numbers, not units. Those of one letter may also be units: see ``scales``.
MULTIPLIERS = {
    **{"hundred": 2, "thousand": 3, "grand": 3, "lakh": 5, "crore": 7, "k": 3},
    **dict.fromkeys(("million", "millions", "mln", "mn", "mio", "millionen", "millones"), 6),
    **dict.fromkeys(("millón", "milioni", "milione", "milhões", "milhão", "miljoen"), 6),
    **dict.fromkeys(("миллион", "миллиона", "миллионов", "млн", "milionów", "milyon"), 6),
    **dict.fromkeys(("billion", "billions", "bn", "mrd", "milliarden", "milliarde"), 9),
    **dict.fromkeys(("milliard", "milliards", "miliardi", "bilhões", "миллиардов", "млрд"), 9),
    **dict.fromkeys(("trillion", "trillions", "tn"), 12),
    **{"quadrillion": 15, "quintillion": 18, "sextillion": 21, "septillion": 24},
    **dict.fromkeys(("mil", "mille", "tausend", "duizend", "тысяч", "тысячи", "тыс", "bin"), 3),
    **{"百": 2, "千": 3, "万": 4, "萬": 4, "億": 8, "亿": 8, "천": 3, "만": 4, "억": 8},
}
SHORT_MULTIPLIERS = {"K": 3, "M": 6, "m": 6, "B": 9, "b": 9, "T": 12, "G": 9}

# Words after a number that say nothing of what is counted, or that begin another clause.
NO_UNITS = frozenset(
    """
    a about above according after all along also although altogether am among an and answer
    approximately are as at away based be because been before being below between both but by can
    correct could do does due each either else equals even ever every exactly extra fewer finally
    first for from gives had has have hence here how however i if in including instead into is it
    its just larger last least left less like makes matches may me means might minus more most much
    must my near next no not now of off on one ones only onto or other others our out over overall
    people's per plus points possible rather respectively right rounded same see seems shall she
    should since so some still such than that the their them then there therefore these they thing
    things this those though through thus till times to together too total unit units
    under unless until up upon using value versus very via visible was we were what when where
    which while who whole whose why will with within without would x yes yet you your works makes
    he him his her hers I us equal equivalent result results shown remain remaining remains exist
    appear appears visible present different
    aber als am an auf aus bei bin bis da damit dass denn der die das den dem durch ein eine er es
    für gibt hat im ist mit nach oder ohne sein sich sie sind so um und unter von vor war weil wenn
    wie wird zu zum zur ungefähr
    alors au aux avec car ce cela ces cette comme dans de des donc du elle en est et il ils la le
    les mais ou où par parce pas pour puisque que qui sans selon ses si son sont sur un une
    al como con cual cuando del desde donde el ella en entre era es esta está este los las lo más
    muy ni para pero por porque puesto según ser sin su sus también una uno y ya
    anche che ci come dal dalla degli dei della di dove gli ha ho il in le ma nel nella per perché
    più poiché quando questo se sono su tra
    ao aos às até com da das do dos e ela ele em entre foi isso já mas na nas no nos num o os ou
    pela pelo pois quando são se sem seu sua também um uma
    aan bij dan dat deze die dit door een en er het hij ik in is maar met naar niet nog of om omdat
    ook op te tot uit van voor want wat wel zijn
    а без был в во вот для до его если есть за и из или как когда которые на не но о от по поскольку
    потому при с так то что это
    ale bo co dla do jak jest lub na nie od po ponieważ się to w we z za że
    bir bu çünkü da de gibi için ile ise ki olarak ve veya
    """.split()
)
