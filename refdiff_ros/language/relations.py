"""Relations between the object meant and other objects: ('behind', 'the red box')."""

from dataclasses import dataclass
import re

from refdiff_ros.language.directions import PICTURE_WORDS
from refdiff_ros.language.words import CLAUSE_WORDS, COLOURS, DETERMINERS, split_words, Word
from refdiff_ros.results import Relation

_SPELLINGS = {
    'left of': ('to the left of', 'on the left of', 'left of', 'on the left side of'),
    'right of': ('to the right of', 'on the right of', 'right of', 'on the right side of'),
    'in front of': ('in front of', 'before'),
    'behind': ('at the back of', 'in back of', 'behind'),
    'on': ('on top of', 'atop', 'on', 'upon'),
    'under': ('underneath', 'beneath', 'below', 'under'),
    'above': ('above', 'over'),
    'next to': ('next to', 'close to', 'closest to', 'nearest to', 'beside', 'near', 'by',
                'adjacent to', 'alongside', 'closest', 'nearest'),
    'between': ('in between', 'between'),
    'in': ('inside of', 'inside', 'in'),
}
_LOCATED = frozenset('parked located placed seated positioned situated red bed shed'.split())
_PASSIVES = frozenset('held worn driven ridden eaten made done drawn blown hit cut shown'.split())
# 'closest to us' is a direction: the viewer is no object of the picture.
_VIEWER = frozenset('camera us me you viewer'.split())
_RELATION_OF = {spelling: name for name, all_of in _SPELLINGS.items() for spelling in all_of}
# Longest first, so that 'in front of' is not read as 'in'; 'nearest the box', not 'nearest box'.
_PATTERN = re.compile(
    r'\b(' + '|'.join(sorted(map(re.escape, _RELATION_OF), key=len, reverse=True))
    + r')(?<!\bnearest)(?<!\bclosest)\s+|\b(nearest|closest)\s+(?=(?:the|a|an)\s)',
    re.IGNORECASE)
# 'on the left', 'at the top', 'in front': a direction and no relation.
_DIRECTION_PHRASE = re.compile(
    r'(the\s+)?(far\s+|very\s+)?((left|right|top|bottom|upper|lower|middle|cent(er|re)|front|back|'
    r'foreground|background)([\s-]+|$))+(side|corner|edge|part|half|row|end|hand|most)?\s*'
    r'(of\s+(the\s+)?(picture|image|photo|screen|frame|view|scene|table|row)\b|$|,|\.)',
    re.IGNORECASE)


@dataclass(frozen=True)
class RelationSpan:
    """A relation with the places of its words, in characters."""

    relation: Relation
    start: int
    other_span: tuple[int, int]


def find_relations(
    text: str, words: tuple[Word, ...], first: int = 0,
) -> tuple[RelationSpan, ...]:
    """The relations in `text`, in the order written.

    The other noun phrase reaches to the next relation, to a clause word or to the end.

    Args:
        text: the expression.
        words: its words.
        first: the character at which the object's description begins.
    """
    starts = [match for match in _PATTERN.finditer(text, first)
              if match.start() > first and not _DIRECTION_PHRASE.match(text, match.end())
              and not _is_agent(text, match) and not _counts(text, match)]
    found = []
    for row, match in enumerate(starts):
        end = starts[row + 1].start() if row + 1 < len(starts) else len(text)
        name = _RELATION_OF[' '.join((match.group(1) or match.group(2)).lower().split())]
        if name != 'between':
            end = min([end, *(word.start for word in words
                              if word.start > match.end() and word.lower in CLAUSE_WORDS)])
        end = _without_direction_phrase(text, match.end(), end)
        other = text[match.end():end].rstrip(' ,.;!?')
        if _names_object(name, other):
            span = (match.end(), match.end() + len(other))
            found.append(RelationSpan(Relation(name, other), match.start(), span))
    return tuple(found)


def _is_agent(text: str, match: re.Match[str]) -> bool:
    # 'held by a man' says who does it, 'parked by the tree' where it is.
    if (match.group(1) or '').lower() != 'by':
        return False
    before = re.search(r'(\w+)(\s+(over|up|down|on|off))?\s*$', text[:match.start()])
    word = '' if before is None else before.group(1).lower()
    return (word in _PASSIVES or word.endswith('ed')) and word not in _LOCATED


def _counts(text: str, match: re.Match[str]) -> bool:
    # 'the next to last mug'
    return (match.group(1) or '').lower().startswith('next') and (
        text[match.end():].lower().startswith('last '))


def _names_object(relation: str, other: str) -> bool:
    # 'woman in red' and 'right of the picture' name no second object.
    content = [word.lower for word in split_words(other) if word.lower not in DETERMINERS]
    if relation in ('left of', 'right of') and content and content[0] in PICTURE_WORDS:
        return False
    if relation == 'next to' and content and content[-1] in _VIEWER:
        return False
    return any(word not in COLOURS for word in content)


def _without_direction_phrase(text: str, start: int, end: int) -> int:
    # 'the cup by the plate on the left': the trailing phrase is no part of 'the plate'.
    for match in re.finditer(r'\s(on|at|in|to)\s+', text[start:end], re.IGNORECASE):
        if _DIRECTION_PHRASE.match(text, start + match.end()):
            return start + match.start()
    return end
