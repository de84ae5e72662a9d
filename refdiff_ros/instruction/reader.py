"""An instruction read: from what a person said to the objects that it names and their roles.

The flow: the words as they were meant (`speech`) -> the shipped parser's tree over them -> clauses
(`clauses`) -> of each its opening and verb (`openings`, `verbs`) -> the verb's arguments
(`segments`, `arguments`) -> what pronouns stand for (`anaphora`).

How some sentences are read: 'stop', 'thank you' and 'come here' name no object; nor does 'open the
gripper', whose object is the robot itself and in no picture of its camera; a question is answered
in words, unless it asks where something is ('where is the mug', 'do you see the mug'), which is to
point at it; 'don't touch the mug' gives no step: the mug is in `Instruction.forbidden`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.expression import clean_text, parse
from refdiff_ros.instruction.anaphora import resolve
from refdiff_ros.instruction.clauses import clauses, JOINERS
from refdiff_ros.instruction.openings import Mood, read_opening
from refdiff_ros.instruction.results import (
    Action,
    Instruction,
    NoObject,
    NoObjectReason,
    Role,
    THEMES,
)
from refdiff_ros.instruction.speech import Heard, listen
from refdiff_ros.instruction.steps import ClauseReading, read_clause, theme_of
from refdiff_ros.instruction.verbs import verb_at
from refdiff_ros.phrase import is_modifier, make_tokens, Token
from refdiff_ros.words import DETERMINERS, PREPOSITIONS, split_words, Word

_SENTENCES = {
    NoObjectReason.NOT_MENTIONED: 'no object is named in {text!r}: name one, for example '
                                  "'pick up the red mug'",
    NoObjectReason.OWN_BODY: '{text!r} is about the robot itself, and no object in the picture: '
                             'send it to the robot, not to the camera',
    NoObjectReason.QUESTION: '{text!r} asks for an answer in words: an object can be shown '
                             "('where is the mug') but not described",
    NoObjectReason.MISSING: '{text!r} does not say with which object: name it, for example '
                            "'pick up the red mug'",
    NoObjectReason.FORBIDDEN: '{text!r} forbids and asks for nothing: {forbidden} is to be left '
                              'alone',
}
# What a phrase before a verb ends with when it says how one looks, and not where a thing is.
_VIEWS = ('view', 'perspective', 'position', 'side', 'left', 'right')
# The first of these that a clause gave is the answer's reason.
_TELLING = (NoObjectReason.OWN_BODY, NoObjectReason.MISSING, NoObjectReason.QUESTION,
            NoObjectReason.NOT_MENTIONED)


def read_instruction(text: str, nlp: Callable[[str], Any] | None = None) -> Instruction:
    """Read an instruction.

    Args:
        text: one or more English sentences, 1 to 1,000 characters; punctuation may be missing.
        nlp: a spaCy pipeline with a tagger and a dependency parser (`load_parser()`), or None for
            rules alone, which know fewer verbs and nouns.

    Raises:
        BadRequestError: the text is empty, too long, or has no word in it.
    """
    text = clean_text(text)
    if not split_words(text):
        raise BadRequestError(f'expected an instruction in words, got {text!r}: say what to do, '
                              "for example 'pick up the red mug'")
    heard = listen(text)
    tokens = _tokens(heard, nlp)
    readings = _fronted(_contrasted(_readings(heard, tokens)))
    steps, forbidden = resolve(
        [step for reading in readings for step in reading.steps],
        [reference for reading in readings for reference in reading.forbidden],
        lambda expression: _head_noun(expression, nlp))
    no_object = None
    if not steps:
        reasons = {reading.reason for reading in readings}
        reason = NoObjectReason.FORBIDDEN if forbidden else next(
            (reason for reason in _TELLING if reason in reasons), NoObjectReason.NOT_MENTIONED)
        names = ' and '.join(repr(reference.said) for reference in forbidden)
        no_object = NoObject(reason, _SENTENCES[reason].format(text=text, forbidden=names))
    return Instruction(
        text, steps, forbidden, no_object, 'rules' if nlp is None else _name(nlp),
        (*heard.notes, *(reading.note for reading in readings if reading.note)))


def _readings(heard: Heard, tokens: list[Token]) -> list[ClauseReading]:
    """The clauses read; 'do not | <something> | touch it' forbids to the next mark or 'and'."""
    found, negated, body = [], False, False
    for start, end in clauses(tokens, heard.text):
        reading = read_clause(heard, tokens, (start, end))
        joined = tokens[start].comma or tokens[start].lower in JOINERS
        reading = replace(reading, joined=tokens[start].lower in JOINERS)
        reading = reading.forbidding() if negated and not joined else reading
        if body and reading.steps and all(  # 'raise your hand and put it on the table'
                one.said.lower() == 'it' for step in reading.steps for one in step.references
                if one.role in THEMES):
            reading = ClauseReading(reason=NoObjectReason.OWN_BODY)
        body = reading.reason is NoObjectReason.OWN_BODY
        found.append(reading)
        opening = read_opening([token.lower for token in tokens], start, end)
        negated = opening.negated and opening.mood is Mood.COMMAND and verb_at(
            tokens, opening.end, end, opening.gerund) is None
    return found


def _contrasted(readings: list[ClauseReading]) -> list[ClauseReading]:
    """'don't take the red one | but the blue one': the blue one is to be taken."""
    found: list[ClauseReading] = []
    for reading in readings:
        before = found[-1] if found else ClauseReading()
        named = reading.joined and len(reading.steps) == 1 and reading.steps[0].action is \
            Action.REFER and before.forbidden and not before.steps
        frames = [one.frame for one in found if one.frame is not None and one.frame.verb]
        if named and frames:
            step, frame = reading.steps[0], frames[-1]
            reading = replace(reading, steps=(replace(
                step, action=frame.action, verb=frame.verb, references=tuple(
                    replace(one, role=theme_of(frame.action)) if one.role is Role.OBJECT else one
                    for one in step.references)),))
        found.append(reading)
    return found


def _fronted(readings: list[ClauseReading]) -> list[ClauseReading]:
    """'in the cabinet | grasp the blue block': the phrase goes with the command after it."""
    found: list[ClauseReading] = []
    for reading in readings:
        before = found[-1].steps if found else ()
        fronted = before[0].references if len(before) == 1 and not any(
            before[0].of(role) for role in THEMES) and before[0].action is Action.REFER else ()
        aside = any(one.relation == 'to' or one.expression.lower().endswith(_VIEWS)
                    for one in fronted)
        if fronted and aside and reading.steps:
            found[-1] = reading
            continue
        if not fronted or not reading.steps or reading.joined:
            found.append(reading)
            continue
        first = reading.steps[0]
        role = Role.PLACE if first.missing else Role.SOURCE
        references = (*first.references, *(replace(one, role=role) for one in fronted))
        found[-1] = replace(reading, steps=(
            replace(first, references=references, missing=()), *reading.steps[1:]))
    return found


def _name(nlp: Any) -> str:
    return parse('mug', nlp, root='rules').parser


def _head_noun(expression: str, nlp: Callable[[str], Any] | None) -> str:
    if not split_words(expression):
        return ''
    found = parse(expression, nlp, root='rules')
    return found.root if found.has_noun else ''


def _tokens(heard: Heard, nlp: Callable[[str], Any] | None) -> list[Token]:
    """The words with what the parser says of them.

    The parser takes 'can' for a verb wherever it stands: where it must be a noun, another noun
    is parsed in its place.
    """
    shown = tuple(Word('jar', word.start, word.end) if _is_can(heard.words, row) else word
                  for row, word in enumerate(heard.words))
    tokens, _ = make_tokens(shown, heard.text, nlp)
    return [replace(token, word=word) for token, word in zip(tokens, heard.words)]


def _is_can(words: tuple[Word, ...], row: int) -> bool:
    if words[row].lower != 'can' or row == 0:
        return False
    before = words[row - 1].lower
    following = words[row + 1].lower if row + 1 < len(words) else ''
    described = before in DETERMINERS | PREPOSITIONS or is_modifier(Token(words[row - 1])) \
        or before == 'empty'
    return described and following not in ('you', 'i', 'we', 'not')
