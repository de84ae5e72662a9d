"""Direction words of an expression, and what they are about.

Read word by word: 'leftmost' and 'on the left' are directions; 'left of the box' is a relation to
the box, 'right next to' no direction at all.
"""

from refdiff_ros.language.words import DETERMINERS, PREPOSITIONS, Word
from refdiff_ros.results import DirectionWord

DIRECTION_OF = {
    word: direction
    for direction, words in {
        'left': 'left leftmost left-most left-hand lefthand',
        'right': 'right rightmost right-most right-hand righthand',
        'top': 'top topmost upper uppermost highest',
        'bottom': 'bottom bottommost lower lowermost lowest',
        'middle': 'middle center centre central middlemost centermost',
        'front': 'front frontmost nearest closest foreground',
        'back': 'back backmost rear rearmost farthest furthest background',
    }.items()
    for word in words.split()
}

# 'the left of the picture' is about the picture's left, not about an object called picture.
PICTURE_WORDS = frozenset(
    'picture image photo photograph screen frame view scene table row'.split())
SIDES = frozenset('side edge corner part half end hand most one'.split())
_DISTANCES = frozenset('nearest closest farthest furthest'.split())
_VIEWER = frozenset('camera us me you viewer'.split())


def is_direction(words: tuple[Word, ...], row: int) -> bool:
    """Whether the word at `row` is a direction (and no relation, and no adverb)."""
    if words[row].lower not in DIRECTION_OF:
        return False
    following = row + 1
    while following < len(words) and words[following].lower in SIDES | DIRECTION_OF.keys():
        following += 1
    if following == len(words):
        return True
    after = words[following].lower
    if words[row].lower in _DISTANCES and after in ('to', 'from'):
        # 'closest to the camera' is a direction, 'closest to the box' a relation.
        return words[-1].lower in _VIEWER or words[following + 1:][:1] == ()
    if words[row].lower in _DISTANCES and after in DETERMINERS:
        return False  # 'nearest the box'
    if after == 'of':
        return _is_picture(words, following + 1)
    # 'right next to', 'right behind': the word means 'directly'.
    return not (words[row].lower == 'right' and following == row + 1 and after in PREPOSITIONS)


def _is_picture(words: tuple[Word, ...], row: int) -> bool:
    while row < len(words) and words[row].lower in DETERMINERS:
        row += 1
    return row < len(words) and words[row].lower in PICTURE_WORDS


def find_directions(
    words: tuple[Word, ...], root: Word, others: tuple[tuple[int, int], ...] = (),
) -> tuple[DirectionWord, ...]:
    """The direction words, in the order written.

    Args:
        words: the expression's words.
        root: the expression's root word.
        others: character spans of other noun phrases; a direction inside one is about that
            phrase's object and not about the root's.
    """
    found = []
    for row, word in enumerate(words):
        if not is_direction(words, row):
            continue
        other = next(((start, end) for start, end in others if start <= word.start < end), None)
        modifies = root.text if other is None else _noun_after(words, row, other[1])
        if other is None and root.lower in DIRECTION_OF:
            modifies = ''  # 'bottom left' has no object noun
        found.append(DirectionWord(
            DIRECTION_OF[word.lower], word.text, modifies, of_root=other is None))
    return tuple(found)


def _noun_after(words: tuple[Word, ...], row: int, end: int) -> str:
    inside = [word for word in words[row + 1:] if word.end <= end]
    return inside[-1].text if inside else ''


def substring_directions(text: str, directions: tuple[str, ...]) -> tuple[str, ...]:
    """Directions whose word stands anywhere in `text`, also inside another word.

    This is how the authors' code finds 'left' and 'right' ('bright' holds 'right').
    """
    return tuple(direction for direction in directions if direction in text.lower())
