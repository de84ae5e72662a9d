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
from refdiff_ros.language.instruction.anaphora import resolve
from refdiff_ros.language.instruction.joining import read_clauses
from refdiff_ros.language.instruction.results import (
    Instruction,
    NoObject,
    NoObjectReason,
    Reference,
)
from refdiff_ros.language.instruction.sentence import parse_sentence
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
    if not split_words(text):
        raise BadRequestError(f'expected an instruction in words, got {text!r}: say what to do, '
                              "for example 'pick up the red mug'")
    sentence = parse_sentence(text, nlp)
    readings = read_clauses(sentence)
    steps, forbidden = resolve(
        [step for reading in readings for step in reading.steps],
        [reference for reading in readings for reference in reading.forbidden],
        lambda expression: _head_noun(expression, nlp))
    return Instruction(
        text, steps, forbidden, None if steps else _why(text, readings, forbidden),
        'rules' if nlp is None else f'{parser_name(nlp)}+rules',
        (*sentence.heard.notes, *(reading.note for reading in readings if reading.note)))


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
