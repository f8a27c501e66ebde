"""What introduces an answer in languages other than English, as parts of regular expressions.

Per language: what stands before the option with a copula or a colon ("La respuesta correcta es"),
what stands before it as a statement of its own ("Es la", "Elijo"), and what stands behind it ("es
correcta"). Texts are plain (``calib.judge.plain``), so full-width signs are those of ASCII.
"""

from __future__ import annotations

# A noun and what joins the option to it; any of the adjectives may stand on either side.
BEFORE = (
    # Spanish
    r"\bla\s+correcta\s+es\b\s*:?",
    r"\b(?:respuesta|opci[oó]n|alternativa)(?:\s+(?:correcta|final|m[aá]s\s+\w+|adecuada)){0,2}"
    r"(?:\s*:|\s+(?:es|ser[ií]a|debe\s+ser)\b\s*:?)",
    # French
    r"\br[eé]ponse(?:\s+(?:correcte|finale|exacte|juste)){0,2}(?:\s*:|\s+(?:est|serait)\b\s*:?)",
    r"\b(?:bonne\s+option|bon\s+choix)(?:\s*:|\s+est\b\s*:?)",
    # German
    r"\b(?:antwort|l[oö]sung|antwortm[oö]glichkeit)(?:\s*:|\s+(?:ist|lautet|w[aä]re)\b\s*:?)",
    r"\b(?:richtig|korrekt)\s+(?:ist|w[aä]re)\b\s*:?",
    # Italian, Portuguese
    r"\b(?:risposta|opzione)(?:\s+(?:corretta|giusta|esatta|finale)){0,2}"
    r"(?:\s*:|\s+(?:è|sarebbe)\b\s*:?)",
    r"\b(?:resposta|op[cç][aã]o|alternativa)(?:\s+(?:correta|certa|final)){0,2}"
    r"(?:\s*:|\s+(?:é|seria)\b\s*:?)",
    # Dutch, Swedish, Polish, Turkish, Indonesian, Vietnamese
    r"\b(?:antwoord|svaret?)(?:\s*:|\s+(?:is|luidt|är)\b\s*:?)",
    r"\b(?:odpověď\s+je|svar\s+är|vastaus\s+on|răspuns(?:ul)?(?:\s+corect)?\s+este)\b\s*:?",
    r"\bodpowied[zź](?:\s+(?:to|jest))?\s*:?(?=\s*\(?[A-Z]\b)",
    r"\b(?:cevap|yan[ıi]t|jawaban(?:nya)?)(?:\s+yang\s+\w+)?(?:\s+adalah\b)?\s*:?(?=\s*\(?[A-Z]\b)",
    r"\bchọn\s+(?:đáp\s+án\s+)?(?=\(?[A-Z]\b)",
    r"\bđáp\s+án(?:\s+đúng)?(?:\s*:|\s+là\b\s*:?)",
    # Russian and Ukrainian
    r"\b(?:ответ|вариант|відповідь)(?:\s+ответа)?(?:\s*:|\s*[-—–]\s|\s+(?:это|будет)\b)"
    r"(?:\s*(?:вариант|буква)\b)?",
    # Arabic, Hindi, Thai
    r"(?:الإجابة|الاجابة|الجواب)(?:\s+(?:الصحيحة|الصحيح|النهائية))?(?:\s+(?:هي|هو))?\s*:?",
    r"(?:उत्तर|जवाब|विकल्प)(?:\s+(?:है|विकल्प))?\s*:?",
    r"ตอบ\s*(?:ข้อ)?\s*(?=\(?[A-Z](?![a-z]))",
    r"คำตอบ(?:ที่ถูกต้อง)?\s*(?:คือ|:)\s*(?:ข้อ)?",
    # Chinese, Japanese, Korean
    r"(?:答案|正解|选项|選項)\s*(?:应该是|應該是|应为|應為|是|为|為|选|選|:)\s*(?:选项|選項)?",
    r"(?:正确|正確)(?:的)?是\s*:?|正しいのは",
    r"(?:选择|選擇|选|選)(?:项|項)?\s*:?(?=\s*\(?[A-Z](?![A-Za-z]))",
    r"(?:答え|答|正解|回答|解答|正答)\s*(?:は|:)\s*(?:選択肢)?",
    r"(?:정답|답변|답)(?:은|는)?\s*:?\s*(?:선택지)?",
)
# Before the option and nothing else in its clause.
STATES = (
    r"\b(?:es|elijo|escojo|elegir[ií]a|me\s+quedo\s+con)\s+(?:la\s+)?(?:opci[oó]n\s+)?",
    r"\b(?:c'est|je\s+(?:choisis|choisirais))\s+(?:la\s+)?(?:r[eé]ponse\s+)?",
    r"\b(?:es\s+ist|ich\s+(?:w[aä]hle|nehme))\s+(?:option\s+|antwort\s+)?",
    r"(?<!\w)(?:è|scelgo|é|escolho)\s+(?:la\s+|a\s+)?(?:letra\s+|lettera\s+)?",
    r"(?:我认为|我認為|我觉得|应该|應該)?是\s*",
    r"\b(?:это|выбираю)\s+(?:вариант\s+)?",
)
# Behind the option: it is the right one.
BEHIND = (
    r"\s+(?:es|sería)\s+(?:la\s+)?(?:respuesta\s+|opción\s+)?correct[ao]",
    r"\s+est\s+(?:la\s+bonne|correcte?|juste)",
    r"\s+ist\s+(?:die\s+)?(?:richtig|korrekt)",
    r"\s+è\s+(?:la\s+)?(?:risposta\s+)?(?:corrett|giust|esatt)",
    r"\s+é\s+(?:a\s+)?(?:resposta\s+|alternativa\s+)?(?:corret|cert)",
    r"\s*(?:[-—–]\s*|\s+)(?:это\s+|является\s+)?(?:правильн|верн)",
    r"\s*(?:选项|選項|项|項)?\s*(?:是|为|為)?\s*(?:最)?(?:正确|正確|正解|答案|对的|對的)",
    r"\s*が\s*(?:正解|正しい|答え)",
    r"\s*(?:번)?(?:이|가)\s*(?:정답|맞)",
)
# Behind the option at the beginning of an answer: "B です".
ENDINGS = r"(?:です|だ|である|でしょう|입니다|이다|예요|이에요|번|番)"
# Articles and nouns between any of these and the option.
NAMES = (
    r"(?-i:la|el|le|die|der|das|il|a|o|una)(?=\s+\(?[A-Z]\b)|the|option|choice|answer|letter|antwort|r[eé]ponse|respuesta|risposta|resposta|"
    r"opci[oó]n|opzione|op[cç][aã]o|choix|letra|lettre|lettera|вариант|буква|选项|選項|選択肢|번"
)
