"""The words that were meant: without 'uh', with 'the the' said once and 'grap' read as 'grab'.

Speech recognition and hurried typing give no punctuation, fillers, repeats, slips of one letter
and sentences that are taken back half-way. Every word keeps its place in the text, so that what
is found can be shown there.
"""

from dataclasses import dataclass, replace

from refdiff_ros.language.instruction.frames import frame_of, FRAMES
from refdiff_ros.language.tokens import is_modifier, Token
from refdiff_ros.language.words import COLOURS, DETERMINERS, PREPOSITIONS, SIZES, split_words, Word

_FILLERS = frozenset('uh uhh um umm er err erm uhm hmm hm ah eh oh'.split())
_SHORT = {
    'gimme': 'give me', 'lemme': 'let me', 'gonna': 'going to', 'wanna': 'want to',
    'gotta': 'have to', 'u': 'you', 'pls': 'please', 'plz': 'please', 'plese': 'please',
    'pleas': 'please', 'thx': 'thanks', 'cannot': 'can not', 'teh': 'the', 'hte': 'the',
    'tge': 'the', 'adn': 'and', 'nad': 'and', 'lets': 'let us', "let's": 'let us', 'im': 'i am',
    'whats': 'what is', 'wheres': 'where is', 'thats': 'that is', 'pickup': 'pick up',
    'abt': 'about', 'ur': 'your', 'nope': 'no', 'nah': 'no', 'yep': 'yes', 'ye': 'yes',
}
_SLIPS = frozenset(('teh', 'hte', 'tge', 'adn', 'nad', 'plese', 'pleas'))
_NEGATED = {"won't": 'will not', "can't": 'can not', "shan't": 'shall not', 'dont': 'do not',
            'cant': 'can not', 'wont': 'will not', 'doesnt': 'does not', 'shouldnt': 'should not',
            'mustnt': 'must not', 'didnt': 'did not', 'isnt': 'is not'}
_ENDINGS = {"'d": 'would', "'ll": 'will', "'m": 'am', "'re": 'are', "'ve": 'have', "'s": 'is'}
# Words whose "'s" is 'is'; elsewhere it says whose something is.
_IS = frozenset('where what who that there here it how which this whereabouts'.split())
_REPAIRS = tuple(tuple(line.split()) for line in (
    'no wait', 'no sorry', 'no no', 'i mean', 'i meant', 'or rather', 'scratch that',
    'wait no', 'sorry i mean', 'no i mean', 'no actually', 'actually no', 'sorry', 'no', 'wait'))
# What makes 'no' after it another thing than a repair.
_NO_REPAIR = frozenset('is are was there has have had with'.split())
# Words that are meant as they stand before 'the', 'it' or 'me'.
_NO_SLIPS = frozenset(
    'and then but you not can could would will what where who how both like love have want need '
    'know mean think'.split())
_NO_REPAIR_AFTER = frozenset('not for until and do'.split())
_ALL = frozenset('anything everything all any them'.split())
_LONGEST_REPEAT = 4


@dataclass(frozen=True)
class Heard:
    """The words of a text as they were meant.

    Attributes:
        text: as said.
        words: as meant, each at the characters where it was said; of a contraction ("don't") the
            words share their characters.
        changed: character spans that were left out or mended.
        notes: what was guessed, in sentences.
    """

    text: str
    words: tuple[Word, ...]
    changed: frozenset[tuple[int, int]]
    notes: tuple[str, ...] = ()

    def phrase(self, words: tuple[Word, ...]) -> str:
        """Consecutive words as meant: as the text has them, unless some were changed there."""
        start, end = words[0].start, words[-1].end
        if not any(start <= first and last <= end for first, last in self.changed):
            return self.text[start:end]
        said = {}
        for word in words:
            span = (word.start, word.end)
            said[span] = word.text if span in self.changed else self.text[slice(*span)]
        return ' '.join(said.values())


def listen(text: str) -> Heard:
    """The words of `text` as they were meant."""
    heard = Heard(text, split_words(text), frozenset())
    for stage in (_spelled_out, _without_fillers, _verbs_mended, _without_repeats, _repaired):
        heard = stage(heard)
    return heard


def _spelled_out(heard: Heard) -> Heard:
    """Contractions and short forms in full words."""
    words, changed = [], set(heard.changed)
    for word in heard.words:
        lower = word.lower.replace('’', "'")
        full = _in_full(lower)
        if lower == 'but' and words and words[-1].lower in _ALL:  # 'anything but the cup'
            full = ['except']
        if full == [lower]:
            words.append(word)
            continue
        if lower in _SLIPS:
            changed.add((word.start, word.end))
        words += [Word(one, word.start, word.end) for one in full]
    return replace(heard, words=tuple(words), changed=frozenset(changed))


def _in_full(lower: str) -> list[str]:
    if lower in _SHORT or lower in _NEGATED:
        return (_SHORT.get(lower) or _NEGATED[lower]).split()
    if lower.endswith("n't"):
        return [lower[:-3], 'not']
    head, mark, _ = lower.partition("'")
    ending = _ENDINGS.get(lower[len(head):])
    if not mark or ending is None or (ending == 'is' and head not in _IS):
        return [lower]
    return [head, ending]


def _without_fillers(heard: Heard) -> Heard:
    words, changed = [], set(heard.changed)
    for word in heard.words:
        before = words[-1].lower if words else ''
        like = word.lower == 'like' and before in ('so', 'just', 'ok', 'okay', 'and', 'then')
        if (word.lower in _FILLERS or like) and len(heard.words) > 1:
            changed.add((word.start, word.end))
        else:
            words.append(word)
    return replace(heard, words=tuple(words) or heard.words, changed=frozenset(changed))


def _verbs_mended(heard: Heard) -> Heard:
    """A slip of one letter in a verb mended, where only a verb can stand: 'grap the cup'."""
    words, changed, notes = list(heard.words), set(heard.changed), list(heard.notes)
    for row, word in enumerate(words[:-1]):
        after = words[row + 1].lower
        opening = row == 0 or words[row - 1].lower in (
            'please', 'and', 'then', 'you', 'to', 'now', 'just', 'so', 'ok', 'okay', 'robot')
        object_follows = after in DETERMINERS | {'me', 'it', 'them', 'up'}
        if not (opening and object_follows) or frame_of(word.lower) or not _may_be_slip(word):
            continue
        meant = [verb for verb in FRAMES if is_one_slip(word.lower, verb)]
        if meant:
            words[row] = Word(meant[0], word.start, word.end)
            changed.add((word.start, word.end))
            notes.append(f'{word.text!r} was read as {meant[0]!r}')
    return replace(
        heard, words=tuple(words), changed=frozenset(changed), notes=tuple(notes))


def _may_be_slip(word: Word) -> bool:
    lower = word.lower
    return len(lower) > 2 and lower not in PREPOSITIONS | DETERMINERS | _NO_SLIPS \
        and not is_modifier(Token(word))


def is_one_slip(typed: str, meant: str) -> bool:
    """Whether `typed` is `meant` (4 letters or more) with one letter wrong; the first is right.

    Wrong is: left out, changed, swapped with the next, or written twice (of 3 letters too).
    """
    if typed[0] != meant[0] or typed == meant:
        return False
    rows = range(1, len(typed))
    if len(typed) == len(meant) + 1 and len(meant) > 2:
        return any(typed[:row] + typed[row + 1:] == meant and typed[row] == typed[row - 1]
                   for row in rows)
    if len(meant) < 4:
        return False
    if len(typed) == len(meant) - 1:
        return any(typed == meant[:row] + meant[row + 1:] for row in range(1, len(meant)))
    if len(typed) != len(meant):
        return False
    different = [row for row in rows if typed[row] != meant[row]]
    swapped = len(different) == 2 and different[1] == different[0] + 1 and (
        typed[different[0]], typed[different[1]]) == (meant[different[1]], meant[different[0]])
    return len(different) == 1 or swapped


def _without_repeats(heard: Heard) -> Heard:
    """'in the the in the bucket' as 'in the bucket': of what is said twice, the last."""
    words, changed = list(heard.words), set(heard.changed)
    for size in range(1, _LONGEST_REPEAT + 1):
        row = 0
        while row + 2 * size <= len(words):
            first, second = words[row:row + size], words[row + size:row + 2 * size]
            same = [word.lower for word in first] == [word.lower for word in second]
            if same and not any(word.text.isdigit() for word in first):
                changed.update((word.start, word.end) for word in first)
                del words[row:row + size]
            else:
                row += 1
    return replace(heard, words=tuple(words), changed=frozenset(changed))


def _repaired(heard: Heard) -> Heard:
    """'the mug, I mean the plate' as 'the plate'."""
    for row in range(1, len(heard.words) - 1):
        marker = _repair_at(heard.words, row)
        if not marker:
            continue
        after = row + marker
        start = _taken_back(heard.words, row, after)
        if start is None:
            continue
        gone = heard.words[start:after]
        said = heard.text[gone[0].start:heard.words[row - 1].end]
        return replace(
            heard, words=heard.words[:start] + heard.words[after:],
            changed=heard.changed | {(word.start, word.end) for word in gone},
            notes=(*heard.notes, f'{said!r} was taken back'))
    return heard


def _repair_at(words: tuple[Word, ...], row: int) -> int:
    lower = [word.lower for word in words]
    if lower[row - 1] in _NO_REPAIR or lower[row - 1] in DETERMINERS:
        return 0
    for marker in _REPAIRS:
        end = row + len(marker)
        if tuple(lower[row:end]) != marker or end >= len(words) or lower[end] in _NO_REPAIR_AFTER:
            continue
        if marker != ('wait',) or lower[end] in DETERMINERS:  # 'wait next to the door' goes on
            return len(marker)
    return 0


def _taken_back(words: tuple[Word, ...], row: int, after: int) -> int | None:
    """Where what was taken back begins: the nearest word before that is like the first after."""
    lower = [word.lower for word in words]
    first = lower[after]
    kinds = (DETERMINERS, PREPOSITIONS, COLOURS | SIZES)
    kind = next((kind for kind in kinds if first in kind), None)
    if kind is not None:
        return next((at for at in range(row - 1, -1, -1) if lower[at] in kind), None)
    return 0 if frame_of(first) is not None else None
