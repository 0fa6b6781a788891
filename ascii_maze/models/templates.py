"""Renders conversations as text without loss, for any family's chat template.

The conversations here are a system message with the rules, a user message with only the maze, and an answer. Family
templates change them in ways that silently break training and scoring: they write an empty thought before the answer
(Qwen3), refuse the system role (Gemma), strip the maze of the blanks at its edges (Llama 3), write today's date, or
render a prompt that is not a prefix of the whole conversation (DeepSeek R1).

`flat_template` therefore renders a conversation of marked messages once, cuts it at the marks, and writes the pieces
down as a template of constants:

    OPENING rules BETWEEN maze BEFORE answer END

It is set on the tokenizer, and saved with every adapter, so that TRL, vLLM, lm-evaluation-harness and a user's own
`apply_chat_template` all read the same text: all text before the answer belongs to the prompt, content is preserved
character for character, nothing depends on the date, and an answer ends with one token. Tokenizers whose own template
does all that already keep it. If a family can think, `enable_thinking` still selects the text before the answer.
"""

import datetime
import json
import re
from pathlib import Path
from typing import NamedTuple

from ..errors import AsciiMazeError, UsageError, reason
from ..metrics.path_validity.scoring import opened_thought
from .chat import AS_IT_IS, THINKING_TOKENS, Chat, Reading, apply_template, how_read, note_reading

# The date given to templates that write one; also the fallback of Llama's own template.
PINNED_DATE = datetime.datetime(2024, 7, 26)
_DATE_CALL = re.compile(r"strftime_now\((['\"])(.*?)\1\)")
_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")
# Marks that no maze, answer or template contains, and that templates have no reason to change.
_RULES, _MAZE, _ANSWER, _NEXT, _EDGES = "Zrules0Z", "Zmaze0Z", "Zanswer0Z", "Znext0Z", "  Zedges0Z \n # "
# The separator of rules and maze in one message, if a template has no place for the rules.
_FOLDED = "\n\n"
SENTENCE = "You walk through a maze."
# The text before an answer ends in one line break, since tokenizers merge several at the end of a text.
PLAIN_TEMPLATE = (
    "{%- for message in messages %}{%- if message.role == 'assistant' %}"
    "{{- 'Answer:\n' + message.content + eos_token }}{%- else %}{{- message.content + '\n\n' }}{%- endif %}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- 'Answer:\n' }}{%- endif %}"
)


class Prompt(NamedTuple):
    """The text that a template puts around rules and maze, up to the answer.

    Attributes:
        opening: before the rules, including the family's bos token.
        bare_opening: before the maze, in a conversation without rules.
        between: rules and maze.
        before_answer: after the maze; generation starts after it.
    """

    opening: str
    bare_opening: str
    between: str
    before_answer: str


class Pieces(NamedTuple):
    """The text that a template puts around the messages.

    Attributes:
        plain: of a prompt that is answered without a thought.
        thinking: of a prompt that is answered after a thought; the same if the family has no switch for it.
        end: after the answer, up to and including the token that ends it; "" if the template writes none.
        next_turn: between an answer and a further user message.
        with_rules: False for a template that leaves out the rules, if the tokenizer cannot spell them.
    """

    plain: Prompt
    thinking: Prompt
    end: str
    next_turn: str
    with_rules: bool = True


def set_chat_template(tokenizer, chat: Chat = AS_IT_IS) -> None:
    """Give a tokenizer a template that preserves conversations; see the module.

    The choice is stored in the tokenizer, and saved with it: see `chat.how_read`.

    Args:
        tokenizer: of transformers; its `chat_template` is replaced if it loses anything.
        chat: the choice; None fields keep what is stored in the tokenizer.

    Raises:
        UsageError: the tokenizer has no template, or several without a default, and none is given; or the template
            cannot be used.
    """
    noted = how_read(tokenizer)
    if chat.template is not None:
        tokenizer.chat_template = PLAIN_TEMPLATE if chat.template == "plain" else chat.template
        noted = Reading(template="plain" if chat.template == "plain" else "given")
    own = tokenizer.chat_template
    if not isinstance(own.get("default") if isinstance(own, dict) else own, str):
        raise UsageError(
            f"the tokenizer of '{tokenizer.name_or_path}' has no {'default ' * bool(own)}chat template; give "
            "--chat-template plain, or the path of a Jinja file, or use an instruct model"
        )
    thinking = noted.thinking if chat.thinking is None else chat.thinking
    room = (chat.thinking_tokens or noted.thinking_tokens or THINKING_TOKENS) if thinking else 0
    dated = _DATE_CALL.search(tokenizer.get_chat_template())
    date = PINNED_DATE.date().isoformat() if dated else noted.pinned_date
    if thinking or noted.thinking or not _is_whole(tokenizer):
        tokenizer.chat_template = flat_template(take_apart(tokenizer), thinking)
    note_reading(tokenizer, Reading(noted.template, thinking, room, date))


def read_template(given: str) -> str:
    """The template that an option `chat_template` names: `plain` itself, else the text of a Jinja file.

    Raises:
        UsageError: there is no such file, or it is not text.
    """
    if given == "plain":
        return given
    what = f"chat template: '{given}' is neither 'plain' nor a Jinja file that can be read"
    if not Path(given).is_file():
        raise UsageError(f"{what}; give the path of one")
    try:
        return Path(given).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"{what}: {reason(error)}") from error


def render(tokenizer, messages: list[dict[str, str]], **options) -> str:
    """The messages rendered by the family's template, with a fixed date.

    Raises:
        AsciiMazeError: the template fails, as one that refuses the messages does.
    """
    # Templates call for the date with their own format, and transformers does not let callers replace that function.
    pinned = _DATE_CALL.sub(lambda call: _literal(PINNED_DATE.strftime(call[2])), tokenizer.get_chat_template())
    return apply_template(tokenizer, messages, chat_template=pinned, tokenize=False, **options)


def take_apart(tokenizer) -> Pieces:
    """The text that the template puts around rules, maze and answer, found by rendering marked messages.

    Raises:
        UsageError: it rejects a plain exchange, drops, repeats or reorders messages, or no token
            ends an answer.
    """
    maze, answer = _say("user", _MAZE), _say("assistant", _ANSWER)
    whole = render(tokenizer, [maze, answer], enable_thinking=False)
    opening, before, end = _cut(tokenizer, whole, (_MAZE, _ANSWER))
    with_rules = _with_rules(tokenizer, opening, [answer], enable_thinking=False)
    plain = with_rules or Prompt(opening, opening, _FOLDED, before)
    asked = {"add_generation_prompt": True, "enable_thinking": True}
    opening, before = _cut(tokenizer, render(tokenizer, [maze], **asked), (_MAZE,))
    thinking = _with_rules(tokenizer, opening, [], **asked) or Prompt(opening, opening, _FOLDED, before)
    next_turn, end = _next_turn(tokenizer, end), _up_to_token(tokenizer, end)
    if not end and not tokenizer.eos_token:
        raise UsageError(
            f"the chat template of '{tokenizer.name_or_path}' writes nothing that ends an answer, and its tokenizer "
            "has no end of text; give --chat-template the path of a Jinja file that does"
        )
    return Pieces(plain, thinking, end, next_turn, with_rules is not None or can_spell(tokenizer, SENTENCE))


def _with_rules(tokenizer, bare_opening: str, answer: list[dict[str, str]], **options) -> Prompt | None:
    """The pieces of a prompt with rules; None if the template has no system role, or puts it elsewhere."""
    try:
        text = render(tokenizer, [_say("system", _RULES), _say("user", _MAZE), *answer], **options)
    except AsciiMazeError:
        return None
    if text.count(_RULES) != 1 or text.index(_RULES) > text.index(_MAZE):
        return None
    marks = (_RULES, _MAZE, _ANSWER) if answer else (_RULES, _MAZE)
    opening, between, before, *_ = _cut(tokenizer, text, marks)
    return Prompt(opening, bare_opening, between, before)


def marked_template(tokenizer) -> str:
    """The tokenizer's template with `{% generation %}` around all text of the model: each answer, with its end.

    It renders the same text; TRL and transformers derive the loss mask from the marks.

    Raises:
        UsageError: the template has no marks and renders several turns in a way that cannot be taken apart.
    """
    own = tokenizer.get_chat_template()
    if _MARK.search(own):
        return own
    pieces = take_apart(tokenizer)
    marked = flat_template(pieces, how_read(tokenizer).thinking, _up_to_token(tokenizer, pieces.next_turn))
    rules, asked = _say("system", _RULES), [_say("user", _EDGES), _say("assistant", _ANSWER), _say("user", _NEXT)]
    for talk in ([rules, *asked], [rules, *asked, _say("assistant", "Zlast0Z")]):
        asks = len(talk) == 4
        whole = render(tokenizer, talk, add_generation_prompt=asks)
        if whole != apply_template(tokenizer, talk, chat_template=marked, tokenize=False, add_generation_prompt=asks):
            raise UsageError(
                f"the chat template of '{tokenizer.name_or_path}' does not say which tokens of several turns are the "
                "model's; give --chat-template plain, or the path of a Jinja file with {% generation %}"
            )
    return marked


def flat_template(pieces: Pieces, thinking: bool = False, marked_end: str | None = None) -> str:
    """The Jinja template of constants that puts these pieces around a conversation of one or more turns.

    A prompt with its generation prompt is then a prefix of the whole conversation, by construction. If it opens a
    thought, the tag is not repeated for an answer that begins with it.

    Args:
        thinking: the default of `enable_thinking`.
        marked_end: the end of an answer before another message; `{% generation %}` then marks answers with their ends.
    """
    plain, thoughtful, end, next_turn = pieces.plain, pieces.thinking, _literal(pieces.end), _literal(pieces.next_turn)
    opening, bare, between, start = (_chosen(*either) for either in zip(plain, thoughtful))
    rules = f"{opening} + messages[0].content + {between}" if pieces.with_rules else opening
    turn, content, choice = _chosen(plain.before_answer, thoughtful.before_answer, "loop.last"), "message.content", ""
    if plain != thoughtful:
        # Some programs pass None if the option is not set.
        wished = "enable_thinking is defined and enable_thinking is not none"
        choice = f"{{%- set thinks = enable_thinking if {wished} else {str(thinking).lower()} %}}"
    if tag := opened_thought(thoughtful.before_answer):
        opens = f"thinks and loop.last and message.content.startswith({_literal(tag)})"
        content = f"(message.content[{len(tag)}:].lstrip('\\n') if {opens} else message.content)"
    end = end if pieces.end else "eos_token"
    answer = f"{{{{- {turn} + {content} + ({end} if loop.last else {next_turn}) }}}}"
    if marked_end is not None:
        within, after = _literal(marked_end), _literal(pieces.next_turn.removeprefix(marked_end))
        answer = (
            f"{{{{- {turn} }}}}{{% generation %}}{{{{- {content} + ({end} if loop.last else {within}) }}}}"
            f"{{% endgeneration %}}{{{{- '' if loop.last else {after} }}}}"
        )
    return (
        f"{choice}{{%- if messages[0].role == 'system' %}}{{{{- {rules} }}}}{{%- set turns = messages[1:] %}}"
        f"{{%- else %}}{{{{- {bare} }}}}{{%- set turns = messages %}}{{%- endif %}}"
        "{%- for message in turns %}"
        "{%- if message.role == 'assistant' %}"
        f"{answer}"
        "{%- else %}{{- message.content }}{%- endif %}"
        "{%- endfor %}"
        f"{{%- if add_generation_prompt %}}{{{{- {start} }}}}{{%- endif %}}"
    )


def _chosen(plain: str, thoughtful: str, condition: str = "") -> str:
    """A constant of the template, or the choice between two by whether the model thinks."""
    if plain == thoughtful:
        return _literal(plain)
    thinks = f"thinks and {condition}" if condition else "thinks"
    return f"({_literal(thoughtful)} if {thinks} else {_literal(plain)})"


def can_spell(tokenizer, text: str) -> bool:
    """Whether a tokenizer has tokens for a text, without the unknown token.

    The embedded model's has none for most letters: it reads mazes and moves, but not the rules.
    """
    return tokenizer.unk_token_id is None or tokenizer.unk_token_id not in tokenizer(text)["input_ids"]


def _is_whole(tokenizer) -> bool:
    """Whether the tokenizer's own template renders conversations as that of `flat_template` would."""
    if _DATE_CALL.search(tokenizer.get_chat_template()):
        return False
    talk = [_say("system", _RULES), _say("user", _EDGES)]
    try:
        prompt = render(tokenizer, talk, add_generation_prompt=True)
        whole = render(tokenizer, [*talk, _say("assistant", _ANSWER)])
    except AsciiMazeError:
        return False
    rules = _RULES in prompt or not can_spell(tokenizer, SENTENCE)
    after = whole.removeprefix(prompt)
    end = after.removeprefix(_ANSWER)
    return rules and _EDGES in prompt and after.startswith(_ANSWER) and _up_to_token(tokenizer, end) == end != ""


def _say(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _cut(tokenizer, text: str, marks: tuple[str, ...]) -> list[str]:
    """The pieces of a text before, between and after marks."""
    pieces = []
    for mark in marks:
        before, found, text = text.partition(mark)
        if not found or mark in text:
            raise UsageError(
                f"the chat template of '{tokenizer.name_or_path}' drops, repeats or reorders messages; "
                "give --chat-template plain, or the path of a Jinja file"
            )
        pieces.append(before)
    return [*pieces, text]


def _ending_tokens(tokenizer) -> list[str]:
    """All tokens that ordinary text never contains: special and added ones."""
    added = (token.content for token in tokenizer.added_tokens_decoder.values())
    return [token for token in {*tokenizer.all_special_tokens, *added} if token.strip()]


def _up_to_token(tokenizer, text: str) -> str:
    """The text after an answer up to and including the first token that can end it; "" if there is none."""
    found = [(text.index(token) + len(token), token) for token in _ending_tokens(tokenizer) if token in text]
    return text[: min(found)[0]] if found else ""


def _next_turn(tokenizer, end: str) -> str:
    """The text between an answer and the next user message; the end and a line break if the template rejects that."""
    talk = [_say("user", _MAZE), _say("assistant", _ANSWER), _say("user", _NEXT), _say("assistant", "Zlast0Z")]
    try:
        return render(tokenizer, talk).partition(_ANSWER)[2].partition(_NEXT)[0]
    except AsciiMazeError:
        return end


def _literal(text: str) -> str:
    """A text as a Jinja string literal."""
    return json.dumps(text, ensure_ascii=False)
