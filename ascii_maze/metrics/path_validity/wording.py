"""Patterns for the ways people and models write moves, and for the words that show whether they are an answer.

Only data and patterns; `lenient.py` and `runs.py` apply them.
"""

# ruff: noqa: RUF001, SIM905
import re

LANGUAGES = "English and Portuguese"

DIRECTIONS = {
    **dict.fromkeys("u up upward upwards north northward ↑ cima acima norte".split(), "U"),
    **dict.fromkeys("d down downward downwards south southward ↓ baixo abaixo sul".split(), "D"),
    **dict.fromkeys("l left leftward leftwards west westward ← esquerda oeste".split(), "L"),
    **dict.fromkeys("r right rightward rightwards east eastward → direita leste".split(), "R"),
}
NUMBERS = {
    **dict(
        zip("one two three four five six seven eight nine ten once twice thrice".split(), [*range(1, 11), 1, 2, 3])
    ),
    **dict(zip("um dois três quatro cinco seis sete oito nove dez uma duas".split(), [*range(1, 11), 1, 2])),
}
# Other ways to write the four arrows, and arrows that only occur between moves.
ARROWS = str.maketrans(
    {
        **dict.fromkeys("⬆⇧⇑🡑🠕🔼▲", "↑"),
        **dict.fromkeys("⬇⇩⇓🡓🠗🔽▼", "↓"),
        **dict.fromkeys("⬅⇦⇐🡐🠔◀◄", "←"),
        **dict.fromkeys("➡⇨🡒🠖▶►", "→"),
        **dict.fromkeys("⇒➔➜➝➞⟹", "⟶"),
        **dict.fromkeys("\ufe0e\ufe0f\u200b\ufeff\r", None),
        **dict.fromkeys("‘’", "'"),
        "\xa0": " ",
    }
)
LATEX = re.compile(
    r"\\(?:([Rr]ight|[Ll]eft|[Uu]p|[Dd]own)arrow|(to)\b|(?:text(?:bf|tt|it|rm)?|mathrm|mathbf|quad)\b|[,;! ()\[\]])"
)
LATEX_ARROWS = {"right": "→", "left": "←", "up": "↑", "down": "↓"}
# `⇒` is a move where the other three arrows are, and else stands between moves.
OTHER_ARROWS = re.compile(r"[↑↓←]")
MOVES_IN_LETTERS = re.compile(
    rf"(?<!\w)(?:[UDLR]|(?i:{'|'.join(word for word in DIRECTIONS if len(word) > 1)}))(?!\w)"
)
WORD = re.compile(r"\w")
# What `→` follows where it stands between moves.
BEFORE_ARROW = re.compile(
    rf"(?<!\w)(?:[UDLRS]|(?i:start|início|{'|'.join(word for word in DIRECTIONS if len(word) > 1)}))[ \t*_`]*\Z"
)
STRUCK = re.compile(r"~~[^~\n]+~~|<(del|strike|s)>[^<\n]*</\1>", re.IGNORECASE)
LONG_ARROW = re.compile(r"[-=–—]+>")
NUMPY = re.compile(r"np\.u?int\d*\((\d+)\)")
# Text that a chat template or a base model writes after its answer, and the start of another speaker's turn.
SPECIAL = re.compile(r"<\|[^|<>\n]{1,40}\|>|</?s>|<(?:end_of_turn|eos|pad)>|\[/?INST\]")
NEXT_TURN = re.compile(
    r"<\|im_start\|>(?:user|assistant)|<\|start_header_id\|>(?:user|assistant)|<start_of_turn>(?:user|model)|\[INST\]"
    r"|\n\W{0,3}(?:user|human|question|q|problem|maze|usuário|pergunta|labirinto)(?: \d+)?\W{0,3}:",
    re.IGNORECASE,
)
ANSWER_TAG = re.compile(r"</?answer>", re.IGNORECASE)

NUMBER = rf"(?:\d{{1,3}}|{'|'.join(NUMBERS)})"
UNIT = (
    r"(?:steps?|times?|cells?|squares?|spaces?|moves?|units?|tiles?|blocks?|characters?|columns?|rows?"
    r"|vez(?:es)?|passos?|casas?|células?|espaços?|posições|posição|colunas?|linhas?)"
)
WAY = "|".join(sorted((word for word in DIRECTIONS if len(word) > 1), key=len, reverse=True))
TOKEN = re.compile(
    rf"""
    (?P<letters>(?<!\w)(?<!\w')[UDLR]+(?:[ ,]+[UDLR]+(?!\w))*(?!\w|'\w)(?!\ ?[x×*]\ ?\d))
  | (?P<separator>[^\S\n]+|[,;|`*_"'“”«»$\]{{}})>⟶~+–—-]+)
  | (?P<coordinate>[(\[]\s*(?:row|r|linha)?\s*=?\s*(?P<row>\d{{1,6}})\s*[,;\s]\s*(?:col(?:umn)?|c|coluna)?\s*=?\s*
        (?P<column>\d{{1,6}})\s*[)\]])
  | (?P<bracket>[(\[])
  | (?P<index>(?<![\w.])(?P<place>\d{{1,3}})[.)]\s*(?=[UDLR]\b|[↑↓←→]|(?i:{WAY})\b))
  | (?P<after>(?<!\w)(?:[UDLR](?:\d{{1,3}}|\ ?[x×*]\ ?\d{{1,3}}))+(?![\w']))
  | (?P<before>(?<!\w)(?:\d{{1,3}}(?:\ ?[x×*]\ ?)?[UDLR])+(?![\w']))
  | (?P<lower>(?<!\w)(?<!\w')[udlr]+(?!\w|'\w))
  | (?P<arrows>[↑↓←→](?:(?:\ ?[x×*]\ ?)?(?P<arrow_times>\d{{1,3}})\b)?)
  | (?P<word>(?i:(?<![\w-])(?:(?P<many>{NUMBER})(?:\s?[x×])?\s+(?:{UNIT}\s+)?(?:to\s+the\s+)?)?
        (?:(?:para|pra)\s+(?:a\s+|o\s+)?|à\s+|ao\s+)?(?P<way>{WAY})(?![\w-]|'\w)
        (?(many)|(?:\s*(?:[(x×*]|by\b|for\b)?\s*(?P<often>{NUMBER})(?:\s?[x×])?(?!\w|\s*,\s*\d|\s*[.)]\s*(?:{WAY})\b|\s+(?:{WAY})\b)
            (?:\s+{UNIT}\b)?\)?)?)))
  | (?P<end>(?<!\w)(?:[SG]|(?i:start|goal|end|início|objetivo|fim))(?!\w))
  | (?P<elision>\.\.\.|…|(?i:(?:and\s+so\s+(?:on|forth)|etc|e\s+assim\s+por\s+diante)\b))
  | (?P<filler>(?i:(?<!\w)(?:then|and|next|again|finally|followed\s+by|moves?|go|steps?|walk|head|take|e|depois
        |então|em\s+seguida|finalmente|mova|mover|ande|andar|vá|siga)(?!\w)))
  | (?P<choice>(?i:(?<!\w)(?:or|ou)(?!\w))|/)
  | (?P<other>[^\W\d_]+|\d+|.)
    """,
    re.VERBOSE,
)
ECHO = re.compile(rf"(?<!\w)((?i:{WAY})|[UDLR])\s*\(\s*((?i:{WAY})|[UDLR])\s*\)")
# Most words are not tokens of `TOKEN`; this pattern skips them without trying all of it.
PLAIN = re.compile(r"([^\W\d_]+)['\s]*")
KEYWORDS = frozenset(
    [
        *DIRECTIONS,
        *NUMBERS,
        *"s g start goal end início objetivo fim para pra à ao or ou and so etc e assim then next again".split(),
        *"finally followed move moves go step steps walk head take depois então em finalmente".split(),
        *"mova mover ande andar vá siga".split(),
    ]
)
COUNT_AFTER = re.compile(r"([UDLR])\D*(\d+)")
COUNT_BEFORE = re.compile(r"(\d+)\D*([UDLR])")
COMPASS = re.compile(
    r"\bnorth\b|\bN\s*[/=:]|\bN, ?[SE], ?[ESW],? (?:and |or )?[EW]\b|\bN E S W\b|\bnorte\b", re.IGNORECASE
)
COMPASS_LETTERS = re.compile(r"(?<![\w'])[NESW](?:[ ,]*[NESW])*(?![\w'])")
COMPASS_MOVES = str.maketrans("NESW", "URDL")

MARKER = re.compile(
    r"\W{0,6}?(?:(?:step|passo|move|movimento)\s*#?)?(?P<number>\d{1,3})(?:\s*[.):]|\s+[-–—:])[*_\s]*(?!\d)|\s*[-*•+]\s+",
    re.IGNORECASE,
)
TRIMMED = " \t*_`\"'“”«»$[]{}()<>|.,;:!-–—⟶✅🎯🏁😊"
LABEL = re.compile(
    r"(?i:(?:answer|path|solution|moves|sequence|route|steps|directions|output|result|way|walk|instructions|follow"
    r"|resposta|caminho|solução|movimentos?|sequência|passos|rota|percurso|trajeto|saída)"
    r"[^:=.!?\n]{0,50}?(?:[:=]|\b(?:is|are|é|são|seria|be|as)|⟶|[*_`\"'])|final|take|follow|path|caminho)"
    r"[\s*_`\"'“«$\[({]*\Z"
)
FROM_START = re.compile(r"(?i:(?<=[:=])[\s*_`]*(?:start|início)\b[\s*_`,⟶-]*\Z)")  # between a label and a run
NO_ANSWER = re.compile(  # before a labelled run
    r"(?i:\b(?:not?|isn't|cannot be|can't be|doubt|never|example|e\.g|such as|for instance|format|sample|template"
    r"|looks? like|otherwise|bad|allowed|available|invalid|illegal|wrong"
    r"|(?:possible|valid|legal|four|these) (?:moves|directions)|options|incorrect|instead of|rather than"
    r"|try|tried|trying|attempt\w*|if|could|starts?|begins?|beginning|first|next|last|remaining|partial\w*"
    r"|so far|letters|symbols|using only|exemplo|formato|não|tent\w+|permitid\w+|poss[ií]veis|se|primeir\w+|opposite"
    r"|reverse|back to|from g|question|input)\b)"
)
NO_PATH = re.compile(  # in addition, before a run in the middle of a sentence
    r"(?i:\b(?:don't|cannot|can't|can|may|might|like|either|perhaps|maybe|blocked|walls?|open|free|avoid|distance"
    r"|located|away|means?|each|use|using|check\w*|consider\w*|explor\w*|visit\w*|queue|neighbou?rs?|talvez|pode|poderia"
    r"|paredes?|goal is|turn|facing|looks?)\b)"
)
NEEDED = re.compile(r"(?i:\b(?:need|have to|has to|must|should|total|net|overall)\b)")  # the distance, not a path
TAKEN_BACK = re.compile(  # after a run, in the same sentence
    r"(?i:[\s*_`\"'):(⟶→-]*(?:\?|~~|❌|✗|✘|(?:invalid|wrong|incorrect|blocked|hits? (?:a |the )?wall|wall)\b)"
    r"|[^.!?\n]{0,60}?(?:(?<!never )(?<!not )\b(?:hits?|bumps?|runs?|crash\w*) (?:in)?to\b"
    r"|(?<!never )\b(?:hits?|goes through|crosses) (?:a|the) wall|\b(?:is|are|was|were)"
    r" (?:blocked|wrong|invalid|incorrect|impossible|not|too)\b"
    r"|\b(?:isn't|aren't|wasn't|doesn't|won't|fails?)\b|\bdoes not (?:work|reach|lead|arrive|get)"
    r"|\bleads? (?:in)?to a (?:wall|dead)|\bdead end|\bnão (?:funciona|chega|é)"
    r"|\bbatem? (?:n[ao]s?|em|contra)\b|\binválid))"
)
RETRACTED = re.compile(  # at the beginning of the text after a run
    r"(?i:\W*(?:(?:is|are) (?:not|wrong|invalid|too)\b|but (?:no|wait|that|this|it)|wait|hmm"
    r"|no\b|oops|actually,? (?:no|that|this|it)|mas não|espera|isso não"
    r"|não\b)|[^\n]{0,8}\W*(?:that|this|it)(?:'s| is| was)? (?:wrong|not|incorrect|invalid|blocked|hits|doesn't"
    r"|does not|won't|fails|leads into|goes through|crosses))"
)
NO_WAY = re.compile(
    r"(?i:\bno (?:valid |possible |legal )?(?:path|way|route) (?:exists|from|to|between)"
    r"|\bthere is no (?:valid |possible )?(?:path|way|route|solution)\b|\bunreachable|\bcannot be reached"
    r"|\bnão (?:há|existe) caminho)"
)
ELSEWHERE = re.compile(  # at the beginning of the text after a run
    r"(?i:\W*(?:(?:it|this|that|which|ele|isso|que) )?"
    r"(?:(?:end(?:s|ed)?|stop(?:s|ped)?) short of (?:the )?(?:goal|exit|target|G)\b"
    r"|(?:end(?:s|ed)?|stop(?:s|ped)?|finish(?:es|ed)|leads|led|arrive[sd]|(?:brings|takes) (?:us|you)|gets us"
    r"|termina|acaba)\b(?:(?!\b(?:goal|exit|target|G|objetivo)\b)[^.!?\n]){0,40}"
    r"(?:, (?:but )?(?:not|não)|,? (?:rather than|instead of|em vez de)) (?:at |to |em |no )?(?:the )?[*_`]*"
    r"(?:goal|exit|target|G|objetivo)\b(?!['’])))"
)
HINDERED = re.compile(r"(?i:\b(?:walls?|blocked|dead end|cannot|can't|invalid|not|turn|não|paredes?)\b)")
GOING = re.compile(
    r"(?i:\b(?:go|goes|going|moves?|moving|take|follow|path|route|walk|head|travel|navigate|solution|answer|vá|siga|ande"
    r"|mova|caminho)\b)"
)
CLAUSE = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?;]\s|,? but |, so ")
MARKS = " \t*_`\"'“«$([{"
MARKS_AS_BLANKS = str.maketrans(dict.fromkeys("*_`\"'$|;⟶", " "))
SHORT_LABEL = re.compile(
    r"[*_`\s#]*(?i:(?:the |my )?(?:final |shortest )?(?:answer|path|solution|moves|output|resposta|caminho))"
    r"[*_`\s]*[:=]"
)
SENTENCE_END = re.compile(r"[.!?;:]")
OTHER_MOVE = re.compile(r"[\s,→⟶-]*(?![SGAI]\b)[A-Z](?![\w'])")
PAIRS = frozenset([*((mark, mark) for mark in "*_`\"'$"), ("“", "”"), ("«", "»"), ("[", "]"), ("{", "}")])
VERBS = re.compile(r"(?i:\b(?:move|go|step|walk|head|take|then|mova|ande|vá|siga)\b)")
ENDS = re.compile(r"(?i:\A(?:from\s+)?(?:[sg]|start|goal|end)\b|\b(?:[sg]|start|goal|end)\Z)")
LISTED = frozenset(
    "from at the to a one by with start starting begin position cell s in direction first second de em no na para casa"
    " início comece move moving go step take then continue again walk head next and finally mova vá ande siga agora"
    " depois slide proceed travel".split()
)
ENDPOINT = re.compile(
    r"(?i:\b(?:start|begin|reach|arriv|goal|end|stop|done|início|come[cç]|cheg|objetivo|fim)\w*|\b[SG]\b)"
)
