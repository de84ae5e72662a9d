"""The words that were meant: without 'uh', with 'the the' said once and 'grap' read as 'grab'.

Speech recognition and hurried typing give no punctuation, fillers, repeats, slips of one letter
and sentences that are taken back half-way. Every word keeps its place in the text, so that what
is found can be shown there. How far something goes ('10 cm') is taken out of the words.
"""

from dataclasses import dataclass, replace
import re
import unicodedata

from refdiff_ros.language.instruction.amounts import Amount, amounts
from refdiff_ros.language.instruction.courtesies import courtesy_at
from refdiff_ros.language.instruction.frames import frame_of, FRAMES, Goal
from refdiff_ros.language.instruction.slips import is_slip_of_verb, mended
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
# After these 'too' is 'to'; before a way so is it ('too the left').
_TOO_AFTER = frozenset('next close closer nearer over'.split())
_PEOPLE = frozenset('me us him her them it you'.split())
_STANDS = frozenset('is are was were stands sits lies stood lay goes belongs'.split())
_KNOWING = frozenset('me us know see find remember forget knows tell show idea'.split())
_NO_EMOJI = '°©®™'
_EMOTICON = re.compile(r'(?<!\w)[:;][-o]?[)(DPp](?!\w)')


@dataclass(frozen=True)
class Heard:
    """The words of a text as they were meant.

    Attributes:
        text: as said.
        words: as meant, each at the characters where it was said; of a contraction ("don't") the
            words share their characters.
        changed: character spans that were left out or mended.
        notes: what was guessed, in sentences.
        amounts: how far something goes or turns; no words.
        blanks: character spans of amounts and pictures.
    """

    text: str
    words: tuple[Word, ...]
    changed: frozenset[tuple[int, int]]
    notes: tuple[str, ...] = ()
    amounts: tuple[Amount, ...] = ()
    blanks: tuple[tuple[int, int], ...] = ()

    @property
    def marked(self) -> str:
        """The text with blanks where its marks part nothing: in '1.5 cm' and ';)'."""
        plain = list(self.text)
        for start, end in self.blanks:
            plain[start:end] = ' ' * (end - start)
        return ''.join(plain)

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
    for stage in (_without_emoji, _without_amounts, _without_numbering, _spelled_out,
                  _without_courtesies, _without_fillers,
                  _verbs_mended, _words_mended, _without_repeats, _repaired, _places_named):
        heard = stage(heard)
    return heard


def _without_emoji(heard: Heard) -> Heard:
    """Pictures among the letters are no words: each run of them is noted."""
    spans = [found.span() for found in _EMOTICON.finditer(heard.text)]
    start = None
    for at, character in enumerate(f'{heard.text} '):
        if _is_emoji(character):
            start = at if start is None else start
        elif start is not None:
            spans.append((start, at))
            start = None
    notes = tuple(f'a picture was not read: {heard.text[slice(*span)]!r}' for span in spans)
    words = tuple(word for word in heard.words
                  if not any(first <= word.start < last for first, last in spans))
    return replace(heard, words=words or heard.words, changed=heard.changed.union(spans),
                   notes=heard.notes + notes, blanks=tuple(spans))


def _is_emoji(character: str) -> bool:
    if character.isascii() or character in _NO_EMOJI:
        return False
    # Variation selectors and joiners stand inside emoji, and 0x1F3FB to 0x1F3FF colour a skin.
    return unicodedata.category(character) in ('So', 'Cs') or character in '\u200d\ufe0f\u20e3' \
        or '\U0001f3fb' <= character <= '\U0001f3ff'


def _without_amounts(heard: Heard) -> Heard:
    found = [one for one in amounts(heard.text) if one.start > heard.words[0].start]
    words = tuple(word for word in heard.words
                  if not any(one.start <= word.start < one.end for one in found))
    notes = tuple(f'how far was not read: {heard.text[one.start:one.end]!r} is no number'
                  for one in found if one.vague)
    spans = tuple((one.start, one.end) for one in found)
    return replace(
        heard, words=words, changed=heard.changed.union(spans), notes=heard.notes + notes,
        amounts=tuple(found), blanks=heard.blanks + spans)


def _without_numbering(heard: Heard) -> Heard:
    """'1. take the mug 2. put it there': the numbers of a list are no words, and part it."""
    listed: set[int] = set()
    for row, word in enumerate(heard.words):
        if word.text == str(len(listed) + 1) and heard.text[word.end:word.end + 1] == '.' and (
                row == 0 or listed) and row + 1 < len(heard.words):
            listed.add(row)
    if len(listed) < 2:
        return heard
    return replace(heard, words=tuple(
        word for row, word in enumerate(heard.words) if row not in listed))


def _without_courtesies(heard: Heard) -> Heard:
    """'... when you get a chance', '..., thank you so much': at the end of a sentence."""
    lower = [word.lower for word in heard.words]
    kept, changed, row = list(heard.words[:1]), set(heard.changed), 1
    while row < len(lower):
        length = courtesy_at(lower, row)
        if length and _ends_sentence(heard, row + length):
            changed.update((word.start, word.end) for word in heard.words[row:row + length])
            row += length
        else:
            kept.append(heard.words[row])
            row += 1
    return replace(heard, words=tuple(kept), changed=frozenset(changed))


def _ends_sentence(heard: Heard, row: int) -> bool:
    if row >= len(heard.words):
        return True
    between = heard.text[heard.words[row - 1].end:heard.words[row].start]
    return any(mark in between for mark in '.!?;')


def _spelled_out(heard: Heard) -> Heard:
    """Contractions and short forms in full words."""
    words: list[Word] = []
    changed = set(heard.changed)
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
    words: list[Word] = []
    changed = set(heard.changed)
    for row, word in enumerate(heard.words):
        before = words[-1].lower if words else ''
        like = word.lower == 'like' and before in ('so', 'just', 'ok', 'okay', 'and', 'then')
        for_me = word.lower == 'for' and _for_person(before, heard.words[row + 1:])
        polite = word.lower in ('please', 'kindly') and bool(words) and _inside(
            before, heard.words[row + 1:])
        if (word.lower in _FILLERS or like or polite or for_me) and len(heard.words) > 1:
            changed.add((word.start, word.end))
        else:
            words.append(word)
    return replace(heard, words=tuple(words) or heard.words, changed=frozenset(changed))


def _for_person(before: str, after: tuple[Word, ...]) -> bool:
    """Whether a 'for' stands between a verb and its person: 'bring | me the cup'."""
    return frame_of(before) is not None and len(after) > 1 and after[0].lower in ('me', 'us') \
        and after[1].lower in DETERMINERS


def _inside(before: str, after: tuple[Word, ...]) -> bool:
    """Whether a word stands between a verb or its person and the object: 'put | the bottle'."""
    follows = bool(after) and after[0].lower in DETERMINERS | _PEOPLE
    return follows and (before in ('me', 'us') or frame_of(before) is not None)


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
        meant = [verb for verb in FRAMES if is_slip_of_verb(word.lower, verb)]
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


def _words_mended(heard: Heard) -> Heard:
    """Slips in nouns, colours and words of place: 'the rde bananna', 'next too the cup'."""
    words, changed, notes = list(heard.words), set(heard.changed), list(heard.notes)
    for row, word in enumerate(words):
        meant = _meant(words, row)
        if meant is None:
            continue
        meant = meant.upper() if word.text.isupper() and len(word.text) > 1 else meant
        words[row] = Word(meant, word.start, word.end)
        changed.add((word.start, word.end))
        notes.append(f'{word.text!r} was read as {meant!r}')
    return replace(
        heard, words=tuple(words), changed=frozenset(changed), notes=tuple(notes))


def _meant(words: list[Word], row: int) -> str | None:
    """The word that the one at `row` is a slip of; None for no slip, and for a name."""
    word, last = words[row], row + 1 == len(words)
    if word.lower == 'too' and not last and (
            row > 0 and words[row - 1].lower in _TOO_AFTER
            or words[row + 1].lower in DETERMINERS):
        return 'to'
    name = row > 0 and word.text[0].isupper() and not word.text.isupper()
    if name or frame_of(word.lower) is not None:
        return None
    return mended(word.lower)


def _without_repeats(heard: Heard) -> Heard:
    """'in the the in the bucket' as 'in the bucket': of what is said twice, the last."""
    words, changed = list(heard.words), set(heard.changed)
    for size in range(1, _LONGEST_REPEAT + 1):
        row = 0
        while row + 2 * size <= len(words):
            first, second = words[row:row + size], words[row + size:row + 2 * size]
            same = [word.lower for word in first] == [word.lower for word in second]
            # 'the orange orange' is a fruit of that colour.
            twice = any(word.text.isdigit() or word.lower == 'orange' for word in first)
            if same and not twice:
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


def _places_named(heard: Heard) -> Heard:
    """'put it where the banana is' as 'put it at the banana'."""
    lower = [word.lower for word in heard.words]
    for row in range(2, len(lower) - 2):
        moved = any(_goes_somewhere(word) for word in lower[:row])
        if lower[row] != 'where' or lower[row + 1] not in DETERMINERS or not moved or (
                lower[row - 1] in _KNOWING):
            continue
        verb = next((at for at in range(row + 2, len(lower)) if lower[at] in _STANDS), None)
        if verb is None:
            continue
        where, stands = heard.words[row], heard.words[verb]
        words = (*heard.words[:row], Word('at', where.start, where.end),
                 *heard.words[row + 1:verb], *heard.words[verb + 1:])
        return replace(heard, words=words, changed=heard.changed | {(stands.start, stands.end)})
    return heard


def _goes_somewhere(word: str) -> bool:
    frame = frame_of(word)
    return frame is not None and frame.goal in (Goal.NEEDED, Goal.OPTIONAL, Goal.TO)
