"""How an instruction begins: 'could you please ...', 'I want ...', 'where is ...', 'don't ...'."""

from collections.abc import Sequence
from dataclasses import dataclass
import enum

from refdiff_ros.language.instruction.frames import frame_of
from refdiff_ros.language.words import DETERMINERS, ING_NOUNS


class Mood(enum.Enum):
    """What the opening makes of what follows: a command, or a noun phrase that is wanted,
    looked for or only named; or a question that is to be answered in words.
    """

    COMMAND = 'command'
    WANT = 'want'
    WHERE = 'where'
    NAME = 'name'
    QUESTION = 'question'


@dataclass(frozen=True)
class Opening:
    """What stands before the verb or the noun phrase.

    Attributes:
        end: the row of the first word after it.
        mood: what it makes of the words after it.
        negated: whether it forbids.
        gerund: whether a verb in '-ing' follows ('would you mind passing', 'stop touching').
        said: whether a phrase was found, and not only fillers.
    """

    end: int
    mood: Mood = Mood.COMMAND
    negated: bool = False
    gerund: bool = False
    said: bool = False


def _phrases(*lines: str) -> list[tuple[str, ...]]:
    return [tuple(phrase.split()) for line in lines for phrase in line.split(', ')]


# Single words that say nothing of the object.
FILLERS = frozenset(
    'please kindly now ok okay hey hi hello just so then well also yes yeah alright and but '
    'actually maybe perhaps again before after good great'.split())
_INSIDE = frozenset('please just kindly maybe possibly also'.split())
_ASK = _phrases(
    'can you, could you, would you, will you, might you, can we, could we, shall we',
    'can somebody, could somebody, can someone, could someone, would somebody, can anyone',
    'could anyone, be able to, are you able to, is it possible to, do you think you could',
    'do you think you can, i want you to, i need you to, i would like you to',
    'i would love you to, we want you to, we need you to, we would like you to, i want to',
    'i need to, i would like to, we need to, we want to, we have to, we should, i have to',
    'you need to, you have to, you should, you can, you could, you may, you must, you will',
    'you are to, you ought to, you are going to, you might, let us, go ahead and, go and',
    'come and, try to, try and, help me, help me to, help us, i was wondering if you could',
    'i wonder if you could, i was hoping you could, any chance you could, any chance you can',
    'do me a favour and, do me a favor and, be so kind as to, so kind as to, be so kind and',
    'be a dear and, be kind enough to, your task is to, your job is to, the task is to',
    'the goal is to, your next task is to, i would appreciate it if you',
    'i would appreciate it if you could, i would be grateful if you',
    'i would be glad if you, i was wondering whether you could, i was wondering if you',
    'i wonder whether you could, i wonder if you can, may i ask you to, could i ask you to',
    'can i ask you to, i am asking you to, would it be possible to, is it possible for you to',
    'would it be possible for you to, is it possible you, is it possible that you',
    'is possible you',
    'is possible that you, is possible to, is it possible to',
    'i want that you, i need that you, i would like that you, you can to, please to',
    'make sure to, make sure you, be sure to, remember to, do not forget to, do not hesitate to',
    'you want to, you will want to, you are going to want to, i would ask them to',
    'i would ask you to, i would tell the robot to, i would, i would tell them to',
    'i would tell you to, i would like for you to, i will ask you to, i would ask the robot to',
    'i would instruct the robot to, feel free to, would you like to, do you want to',
    'if you do not mind, if you can, if you could, if you would, if possible, if you please',
    'if you like, when you can, when you are ready, when you get a chance, when you have time',
    'when you have a moment, after that, once you are done, excuse me, pardon, why do not you',
    'have to, need to, ought to, it is time to, i ask you to, you to, if it is ok, thank you',
    'whatever you do, whatever happens, no matter what, no, under any circumstances',
    'by any means, in any case, at all, ever, on any account, even, accidentally',
    'could you just, can you just, you know, i know, i think, i guess, i believe, note that',
    'please note, in your life, you know that')
_ASK += [
    (*'it would be'.split(), adjective, *rest.split())
    for adjective in 'great nice lovely good wonderful helpful kind awesome perfect best'.split()
    for rest in ('if you could', 'if you', 'to')]
_ASK += [
    ('i', 'would', 'be', *adverb, adjective, *rest.split())
    for adverb in ((), ('very',), ('so',), ('really',))
    for adjective in 'grateful glad happy delighted pleased thankful obliged'.split()
    for rest in ('if you could', 'if you would', 'if you')]
_ASK += [
    (*liked.split(), *rest.split())
    for liked in ('i would appreciate it', 'we would appreciate it', 'i would love it',
                  'i would like it', 'i would prefer it', 'it would help', 'it would help me')
    for rest in ('if you would', 'if you could', 'if you can', 'if you')]
_ASK += _phrases(
    'can you to, could you to, will you to, would you to, you must to, you should to, you will to')
_ASK += _phrases(
    'hope you do not mind, i hope you do not mind, i hope that is ok, hope that is ok',
    'i hope it is ok, sorry but, i am sorry but, forgive me but')
# Said for 'i want you to': only a verb may follow.
_ASK_VERB = _phrases(
    'i want you, i need you, i would like you, we want you, we need you, must, you please, '
    'please you, need, it is necessary to, it is needed to, necessary to, will you please')
_ASK += [
    (*time.split(), *rest.split())
    for time in ('when you', 'whenever you', 'once you', 'as soon as you', 'if you')
    for rest in ('are free', 'are ready', 'can', 'like', 'have time', 'have a second', 'want',
                 'have a moment', 'have a minute', 'are done', 'are finished', 'get a chance')]
_GERUNDS = _phrases(
    'mind, would you mind, could you mind, do you mind, start by, begin by, finish by, try, keep')
_ANY_GERUND = _phrases('how about, what about')
_WANT = _phrases(
    'i want, i need, i would like, i would love, i will have, i will take, i could use',
    'i require, we want, we need, we would like, we will need, i will need, can i have',
    'could i have, may i have, can i get, could i get, may i get, can we have, could we have',
    'can i borrow, what i need is, what i want is, what we need is, all i need is, let me have',
    'could i trouble you for, can i trouble you for, may i trouble you for',
    'could i bother you for, can i bother you for, may i bother you for',
    'could i ask you for, can i ask you for',
    'may i ask you for, might i trouble you for, may i ask for, could i ask for, can i ask for',
    'would it be possible to have, would it be possible to get, is it possible to have',
    'is it possible to get, i am wanting, i am needing',
    'i wish for, i am going to need, we are going to need, i am after, do you mind giving me')
_WHERE = _phrases(
    'where is, where are, whereabouts is, whereabouts are, where did you put',
    'where did you leave, do you see, can you see, could you see, have you seen, is there',
    'are there, which one is, which is, which are, which ones are, do you know where',
    'any idea where, tell me where, can you tell me where, could you tell me where',
    'show me where, do you have any idea where, i am looking for, we are looking for',
    'i am searching for, i can not find, i can not see, let me see, i want to see',
    'i would like to see, i wonder where, i do not know where, what is, what are, if you see',
    'when you see, if you find, when you find, once you see')
_QUESTIONS = _phrases('would you like, do you want, do you like, do you have, do you need')
_NAME = _phrases(
    'there is, there are, this is, that is, these are, those are, here is, here are, it is',
    'you want, you will want, the one you want is, the one i want is, you will see',
    'you will find, you should see, i see, i mean, i meant, i said, a picture of, a photo of',
    'an image of, picture of, photo of, how about, what about, what appears to be',
    'what seems to be, what looks like, looks like')
_FORBID = _phrases(
    'ignore, forget about, forget, skip, keep your hands off, keep your hands away from',
    'stay away from, keep away from, keep off, keep clear of, steer clear of, hands off',
    'beware of, rather than, instead of, except, except for, apart from, other than, avoid',
    'but not, watch out, i do not want, i do not need, we do not want, we do not need, without',
    'i never asked for, i did not ask for, i did not mean, i never said, i did not say')
_FORBID_GERUND = _phrases(
    'do not bother, do not think about, do not think of, do not even think about, do not start',
    'do not risk, stop, quit, avoid, refrain from, without, instead of, rather than, keep from',
    'no')
_FORBID_VERB = _phrases(
    'i told you not to, i asked you not to, you were told not to, i would prefer you do not',
    'i would prefer that you do not, i would prefer you not to, i would rather you not',
    'try not to, be careful not to, take care not to, make sure not to, be sure not to',
    'make sure you do not, make sure that you do not, you had better not',
    'under no circumstances, i do not want you to, i would rather you did not, i do not want to',
    'i never asked you to, i did not ask you to, i never told you to, i did not tell you to',
    'we do not want you to, on no account, by no means, in no case, be careful you do not')
# Between subject and verb; with 'not' they forbid.
_AUXILIARIES = frozenset('do does did must should shall may can could'.split())

_PHRASES = sorted(
    [(phrase, mood, negated, gerund)
     for phrases, mood, negated, gerund in (
         (_ASK, Mood.COMMAND, False, False), (_ASK_VERB, Mood.COMMAND, False, False),
         (_GERUNDS, Mood.COMMAND, False, True),
         (_ANY_GERUND, Mood.COMMAND, False, True), (_WANT, Mood.WANT, False, False),
         (_WHERE, Mood.WHERE, False, False), (_NAME, Mood.NAME, False, False),
         (_QUESTIONS, Mood.QUESTION, False, False),
         (_FORBID, Mood.NAME, True, False), (_FORBID_VERB, Mood.COMMAND, True, False),
         (_FORBID_GERUND, Mood.COMMAND, True, True))
     for phrase in phrases],
    # Longest first; of the same words, those that only a verb in '-ing' may follow.
    key=lambda entry: (-len(entry[0]), not entry[3]))
_BEFORE_VERB = frozenset(_ASK_VERB)
_BY_FIRST: dict[str, list[tuple[tuple[str, ...], Mood, bool, bool]]] = {}
for _entry in _PHRASES:
    _BY_FIRST.setdefault(_entry[0][0], []).append(_entry)

_QUESTION_WORDS = frozenset('what who whom whose which why how when where whereabouts'.split())
_QUESTION_VERBS = frozenset(
    'is are am was were does did do has have had can could would will should'.split())
_ASKED = frozenset('you we they i these those anybody anyone somebody someone he she'.split())
# Nouns after 'what is the' that are no objects.
_NO_THINGS = frozenset(
    'time date matter problem plan status weather name point difference colour color size weight '
    'reason idea'.split())


def read_opening(lower: Sequence[str], start: int, end: int) -> Opening:
    """The opening of the words `start` to `end`.

    Args:
        lower: the sentence's words in lower case.
        start: the row of the first word.
        end: the row after the last one.
    """
    found = Opening(start)
    while found.end < end:
        after = _one_more(lower, found, end)
        if after is None or after.end > end:
            break
        found = after
        if found.gerund or found.mood is not Mood.COMMAND:
            break
    return found


def _one_more(lower: Sequence[str], found: Opening, end: int) -> Opening | None:
    row = found.end
    for phrase, mood, negated, gerund in _BY_FIRST.get(lower[row], ()):
        after = _after(lower, row, end, phrase)
        if after is None or not _fits(lower, after, end, mood, gerund, phrase):
            continue
        return Opening(after, mood, found.negated or negated, gerund, True)
    word = lower[row]
    if word in FILLERS:
        return Opening(row + 1, found.mood, found.negated, False, found.said)
    if word == 'you' and not found.said and row + 1 < end and frame_of(lower[row + 1]) is not None:
        return Opening(row + 1, found.mood, found.negated, False, found.said)
    if word in ('not', 'never'):
        return Opening(row + 1, found.mood, True, False, True)
    if word in _AUXILIARIES and lower[row + 1:row + 2] and lower[row + 1] in ('not', 'never'):
        return Opening(row + 1, found.mood, found.negated, False, found.said)
    if word in ('to', 'you', 'dare') and found.negated:  # 'try not to', 'don't you dare'
        return Opening(row + 1, found.mood, True, False, True)
    return None


def _after(lower: Sequence[str], row: int, end: int, phrase: tuple[str, ...]) -> int | None:
    """The row after a phrase that stands at `row`, also with 'please' inside it."""
    for at, word in enumerate(phrase):
        while at and row < end and lower[row] in _INSIDE and lower[row] != word:
            row += 1
        if row >= end or lower[row] != word:
            return None
        row += 1
    return row


def _fits(lower: Sequence[str], after: int, end: int, mood: Mood, gerund: bool,
          phrase: tuple[str, ...]) -> bool:
    following = lower[after] if after < end else ''
    if gerund:
        return following.endswith('ing') and len(following) > 4
    if phrase in (('what', 'is'), ('what', 'are')):
        noun = lower[after + 1] if after + 1 < end else ''
        doing = after + 2 < end and lower[after + 2].endswith('ing') and (
            lower[after + 2] not in ING_NOUNS)  # 'what is the robot doing'
        if doing and frame_of(lower[after + 2]) is not None or lower[after + 2:after + 3] == (
                'doing',):
            return False
        return following in ('the', 'that', 'this', 'those', 'these') and bool(noun) \
            and noun not in _NO_THINGS | {'over', 'on', 'in', 'there', 'of', 'next', 'behind'}
    if phrase in (('that', 'is'), ('it', 'is'), ('which', 'one', 'is'), ('which', 'is'),
                  ('which', 'are'), ('which', 'ones', 'are')):
        return following in DETERMINERS or phrase[0] != 'which' and following == 'not'
    if phrase in _BEFORE_VERB:
        return frame_of(following) is not None and after + 1 < end
    if phrase == ('no',):
        return following in ('not', 'do', 'i', 'the', 'that', 'this')
    if phrase == ('without',):
        return False
    if phrase in (('avoid',), ('except',)):
        return bool(following)
    if mood is Mood.WANT:
        return following != 'to'
    return True


def is_question(lower: Sequence[str], row: int, end: int) -> bool:
    """Whether the words from `row` on, after their opening, ask for an answer in words."""
    if row >= end:
        return False
    if lower[row] in _QUESTION_WORDS and (end - row > 1 or row == 0):
        return True
    if lower[row] in ('do', 'can'):  # 'do it again' and 'can opener' are none
        return end - row > 1 and lower[row + 1] in _ASKED
    return lower[row] in _QUESTION_VERBS and end - row > 1
