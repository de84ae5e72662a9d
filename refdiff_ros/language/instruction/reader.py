"""An instruction read: from what a person said to the objects that it names and their roles.

The flow: the words as they were meant (`speech`) -> the parser's tree over them (`sentence`) ->
clauses (`clauses`) -> of each (`clause`) its opening (`openings`) and its verb (`verbs`, `frames`)
-> the verb's arguments (`segments`, `groups`, `attachment`, `roles`, `arguments`) -> a step
(`step`) -> what its pronouns stand for (`anaphora`).

How some sentences are read: 'stop', 'thank you' and 'come here' name no object; nor does 'open the
gripper', whose object is the robot itself and in no picture of its camera; a question is answered
in words, unless it asks where something is ('where is the mug', 'do you see the mug'), which is to
point at it; 'don't touch the mug' gives no step: the mug is in `Instruction.forbidden`; conditions
('if it is clean') are not read, and a note says so.
"""

from collections.abc import Callable, Sequence
from typing import Any

from refdiff_ros.errors import BadRequestError
from refdiff_ros.language.expression import clean_text, parse, parser_name
from refdiff_ros.language.instruction.anaphora import HeadNoun, reordered, resolve
from refdiff_ros.language.instruction.clauses import first_mark
from refdiff_ros.language.instruction.details import step_with_quantities
from refdiff_ros.language.instruction.dialogue_act import (
    act_of,
    gesture_of,
    names_ordinal,
    number_said,
    spoken,
    stops_first,
)
from refdiff_ros.language.instruction.joining import read_clauses
from refdiff_ros.language.instruction.ordering import in_order
from refdiff_ros.language.instruction.results import (
    DialogueAct,
    Instruction,
    NoObject,
    NoObjectReason,
    Reference,
    Step,
    THEMES,
)
from refdiff_ros.language.instruction.sentence import parse_sentence, Sentence
from refdiff_ros.language.instruction.step import ClauseReading
from refdiff_ros.language.words import split_words

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
_SPOKEN = {
    DialogueAct.STOP: '{text!r} is to stop, and names no object',
    DialogueAct.RESUME: '{text!r} is to go on, and names no object',
    DialogueAct.YES: '{text!r} answers a question with yes, and names no object',
    DialogueAct.NO: '{text!r} answers a question with no, and names no object',
    DialogueAct.CHAT: 'no object is named in {text!r}: name one, for example '
                      "'pick up the red mug'",
    DialogueAct.NUMBER: '{text!r} answers a question with a number, and names no object',
}
# The first of these that a clause gave is the answer's reason.
_TELLING = (NoObjectReason.OWN_BODY, NoObjectReason.MISSING, NoObjectReason.QUESTION)


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
    if not split_words(text) and (gesture := gesture_of(text)) is not None:
        why = NoObject(NoObjectReason.NOT_MENTIONED, _SPOKEN[gesture].format(text=text))
        return Instruction(text, (), (), why, 'rules',
                           (f'the picture was read as {gesture.value!r}',), gesture)
    if not split_words(text):
        raise BadRequestError(f'expected an instruction in words, got {text!r}: say what to do, '
                              "for example 'pick up the red mug'")
    sentence = parse_sentence(text, nlp)
    parser = 'rules' if nlp is None else f'{parser_name(nlp)}+rules'
    said = spoken(sentence.lower)
    number = number_said(sentence.lower)
    if said is not None or number is not None and not names_ordinal(sentence.lower):
        act = said or DialogueAct.NUMBER
        why = NoObject(NoObjectReason.NOT_MENTIONED, _SPOKEN[act].format(text=text))
        return Instruction(text, (), (), why, parser, sentence.heard.notes, act, number)

    def head_noun(expression: str) -> str:
        return _head_noun(expression, nlp)

    readings = read_clauses(sentence)
    steps, forbidden = _resolved(readings, head_noun)
    steps = tuple(step_with_quantities(step, text, head_noun) for step in steps)
    no_object = None if steps else _why(text, readings, forbidden)
    return Instruction(
        text, steps, forbidden, no_object, parser,
        (*sentence.heard.notes, *(reading.note for reading in readings if reading.note)),
        _act(sentence, steps, forbidden, no_object, number, head_noun), number)


def _act(
    sentence: Sentence, steps: Sequence[Step], forbidden: Sequence[Reference],
    no_object: NoObject | None, number: int | None, head_noun: HeadNoun,
) -> DialogueAct:
    if stops_first(sentence.lower, first_mark(sentence)):
        return DialogueAct.STOP
    if number is not None:
        return DialogueAct.NUMBER
    if not steps and forbidden and sentence.lower[0] in ('no', 'not') and all(
            one.pronoun for one in forbidden):
        return DialogueAct.NO  # 'not that one'
    names = [head_noun(one.expression).lower() for step in steps for one in step.references
             if one.role in THEMES and not one.pronoun]
    return act_of(steps, None if no_object is None else no_object.reason,
                  any(name and name not in ('one', 'ones') for name in names))


def _resolved(
    readings: Sequence[ClauseReading], head_noun: HeadNoun,
) -> tuple[tuple[Step, ...], tuple[Reference, ...]]:
    """Steps in the order in which they are done, and what is forbidden; pronouns written out.

    A pronoun stands for what was said before it, or else for what is done before it: 'before you
    put it on the tray, wash the cup'.
    """
    forbidden = [reference for reading in readings for reference in reading.forbidden]
    rows = in_order(readings)
    done = [step for row in rows for step in readings[row].steps]
    if rows == sorted(rows):
        return resolve(done, forbidden, head_noun)
    said = [(row, step) for row, reading in enumerate(readings) for step in reading.steps]
    by_speech, left_alone = resolve([step for _, step in said], forbidden, head_noun)
    by_time = resolve(done, forbidden, head_noun)
    if _open_pronouns(by_time[0]) < _open_pronouns(by_speech):
        return by_time
    order = sorted(range(len(said)), key=lambda at: (rows.index(said[at][0]), at))
    return reordered(by_speech, order), left_alone


def _open_pronouns(steps: Sequence[Step]) -> int:
    return sum(one.needs_last_answer for step in steps for one in step.references)


def _why(
    text: str, readings: Sequence[ClauseReading], forbidden: Sequence[Reference],
) -> NoObject:
    reasons = {reading.reason for reading in readings}
    reason = NoObjectReason.FORBIDDEN if forbidden else next(
        (reason for reason in _TELLING if reason in reasons), NoObjectReason.NOT_MENTIONED)
    names = ' and '.join(repr(reference.said) for reference in forbidden)
    return NoObject(reason, _SENTENCES[reason].format(text=text, forbidden=names))


def _head_noun(expression: str, nlp: Callable[[str], Any] | None) -> str:
    if not split_words(expression):
        return ''
    found = parse(expression, nlp, root='rules')
    return found.root if found.has_noun else ''
