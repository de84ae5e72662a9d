"""What a text does in a conversation: an order, an answer, 'stop', 'yes', a number.

Whole texts of closed classes of words are told by patterns; the rest by the steps that were read.
"""

from collections.abc import Sequence
import re

from refdiff_ros.language.instruction.results import (
    Action,
    DialogueAct,
    NoObjectReason,
    Role,
    Step,
)

_LEAD = (r'(?:(?:please|i said|i say|ok|okay|hey|oh|no|well|just|robot|so|and|right|alright|now|'
         r'kindly) )*')
_TAIL = (r'(?: (?:it|that|this|now|right now|right there|there|please|moving|everything|at once|'
         r'immediately|robot|the robot|all|doing that|doing it|what you are doing|a second|'
         r'a moment|a minute|a sec|thanks|thank you|again|already))*')
_WORDS = {
    DialogueAct.STOP: 'stop|halt|freeze|abort|cancel|quit|emergency|emergency stop|whoa|woah|'
                      'stop stop|stop stop stop|hold on|hold it|hang on|wait|wait wait|'
                      'stand still|do not move|stay where you are|stay there|never mind|nevermind|'
                      'forget it|forget that|forget about it|enough|that is enough|abort mission|'
                      'cancel the order|stop the arm|pause',
    DialogueAct.RESUME: 'resume|continue|continues|go on|carry on|keep going|proceed|'
                        'you can continue|you may continue|you can go on|move on|unpause',
    DialogueAct.YES: 'yes|yeah|yep|yup|ye|aye|sure|of course|certainly|correct|exactly|'
                     'that is right|that is correct|that is the one|that is it|absolutely|'
                     'affirmative|ok|okay|alright|all right|fine|do it|do that|go ahead|go for it|'
                     'yes do it|please do|yes go ahead|sounds good|i agree|perfect|yes that one|'
                     'confirmed|confirm|indeed|definitely|y|sure thing|why not|yes exactly|'
                     'yes correct|yes sure|yes of course|yes i am sure|i am sure|good|go',
    DialogueAct.NO: 'no|nope|no no|n|negative|neither|none|neither of them|none of them|'
                    'none of these|none of those|neither of these|neither of those|'
                    'none of that|not any of them|not those|not these|neither one|'
                    'not at all|no way|wrong|'
                    'that is wrong|that is not it|'
                    'do not|please do not|do not do it|do not do that|incorrect|'
                    'no thanks|no thank you|not really|no that is wrong|that is not right|'
                    'of course not|nah|definitely not|absolutely not|certainly not|surely not|'
                    'i do not think so|rather not|better not|by no means|never',
    DialogueAct.CHAT: 'thanks|thank you|thanks a lot|many thanks|thank you very much|'
                      'thank you so much|thanks so much|cheers|hello|hi|hey|good morning|'
                      'good evening|good afternoon|goodbye|bye|good bye|see you|good night|sorry|'
                      'excuse me|good job|well done|nice|nice job|great|good robot|cool|awesome',
}
# Of yes and no also several in a row: 'sure, do it', 'no, of course not'.
_PATTERNS = tuple((act, re.compile(f'{_LEAD}(?:{words})(?:[ ](?:{words}))*{_TAIL}'
                                   if act in (DialogueAct.YES, DialogueAct.NO) else
                                   f'{_LEAD}(?:{words}){_TAIL}')) for act, words in _WORDS.items())
_GESTURES = {'👍': DialogueAct.YES, '✅': DialogueAct.YES, '👌': DialogueAct.YES,
             '✔': DialogueAct.YES, '🆗': DialogueAct.YES, '👎': DialogueAct.NO,
             '❌': DialogueAct.NO, '✋': DialogueAct.STOP, '🛑': DialogueAct.STOP,
             '⛔': DialogueAct.STOP}
# An order after one of these is still a stop.
_STOPS_FIRST = frozenset('stop halt freeze abort cancel'.split())
_DIGITS = {word: number for number, word in enumerate(
    'one two three four five six seven eight nine ten'.split(), 1)}
_ORDINALS = {word: number for number, word in enumerate(
    'first second third fourth fifth sixth seventh eighth ninth tenth'.split(), 1)} | {'last': -1}
_NUMBER = re.compile(
    rf'{_LEAD}(?:yes |i mean |i meant |it is )?(?:the )?'
    r'(?:(?:number|option|choice|candidate|object|nr|no) )?'
    rf'(?P<number>\d+|{"|".join(_DIGITS)}|'
    rf'(?P<ordinal>{"|".join(_ORDINALS)}|\d+(?:st|nd|rd|th)))'
    r'(?: one| option)?(?: please| thanks)*')


def spoken(lower: Sequence[str]) -> DialogueAct | None:
    """The act of a text that is all of closed words ('yes please', 'stop it'); else None.

    Args:
        lower: the words as meant, in lower case.
    """
    text = ' '.join(lower)
    return next((act for act, pattern in _PATTERNS if pattern.fullmatch(text)), None)


def gesture_of(text: str) -> DialogueAct | None:
    """The act of a text that is a picture alone; None for none, and for two that disagree."""
    acts = {_GESTURES[character] for character in text if character in _GESTURES}
    return acts.pop() if len(acts) == 1 else None


def stops_first(lower: Sequence[str], first_clause: int) -> bool:
    """Whether an order begins with a stop of its own: 'stop! put it back'.

    Args:
        lower: the words as meant, in lower case.
        first_clause: how many of them stand before the first full stop or comma.
    """
    opening = lower[:first_clause]
    return bool(opening) and spoken(opening) is DialogueAct.STOP and any(
        word in _STOPS_FIRST for word in opening)


def number_said(lower: Sequence[str]) -> int | None:
    """The number of an answer by number: 2 of 'number two' and of 'the second one'."""
    found = _NUMBER.fullmatch(' '.join(lower))
    if found is None:
        return None
    said = found['number']
    if said in _ORDINALS:
        return _ORDINALS[said]
    if said in _DIGITS:
        # 'the one' and 'right one' name something.
        named = said == 'one' and any(word in lower for word in ('the', 'right', 'that', 'this'))
        return None if named else _DIGITS[said]
    return int(re.sub(r'\D', '', said))  # '2nd'


def names_ordinal(lower: Sequence[str]) -> bool:
    """Whether an answer by number can be an expression too: 'the second one'."""
    found = _NUMBER.fullmatch(' '.join(lower))
    return found is not None and found['ordinal'] is not None


def act_of(
    steps: Sequence[Step], reason: NoObjectReason | None, names_noun: bool,
) -> DialogueAct:
    """The act of a text that was read.

    Args:
        steps: what to do.
        reason: why there are no steps, if so.
        names_noun: whether what is only named has a noun.
    """
    if reason is NoObjectReason.FORBIDDEN:
        return DialogueAct.FORBID
    if reason is NoObjectReason.QUESTION:
        return DialogueAct.QUESTION
    if reason is NoObjectReason.NOT_MENTIONED:
        return DialogueAct.CHAT
    if steps and all(step.action is Action.REFER for step in steps):
        placed = all(one.role is Role.PLACE for step in steps for one in step.references)
        return DialogueAct.NAME if names_noun and not placed else DialogueAct.ANSWER
    return DialogueAct.ORDER
