"""The words after a verb, cut into noun phrases, prepositional phrases, clauses and adverbs."""

from dataclasses import dataclass

from refdiff_ros.language.directions import DIRECTION_OF, SIDES
from refdiff_ros.language.instruction.closed_classes import (
    adverb_length,
    AS_AND,
    BE,
    COORDINATORS,
    GOING_ON,
    INTENSIFIERS,
    PEOPLE,
    PICTURE,
    POINTING,
    POSTURES,
    PRONOUNS,
    RELATIVES,
    RESULTS,
    SIDEWAYS,
    SUBJECTS,
    UNITS,
)
from refdiff_ros.language.instruction.prepositions import (
    NO_PREPOSITION,
    Preposition,
    preposition_at,
)
from refdiff_ros.language.instruction.sentence import Sentence, Span
from refdiff_ros.language.tokens import is_modifier, Token
from refdiff_ros.language.words import DETERMINERS, ED_NOUNS, ING_NOUNS, ORDINALS


@dataclass(frozen=True)
class Segment:
    """A piece of the words after a verb.

    Attributes:
        kind: 'noun', 'preposition', 'clause', 'adverb' or 'and'.
        start, end: its rows.
        preposition: of a prepositional phrase; of other pieces `NO_PREPOSITION`.
        nouns: the noun phrases of a prepositional phrase ('between' has two).
        direction: whether it is a place of the picture and of no object: 'on the left'.
    """

    kind: str
    start: int
    end: int
    preposition: Preposition = NO_PREPOSITION
    nouns: tuple[Span, ...] = ()
    direction: bool = False


def cut(sentence: Sentence, start: int, end: int) -> list[Segment]:
    """The segments of the rows `start` to `end`."""
    cutter = _Cutter(sentence, end)
    segments: list[Segment] = []
    row = start
    while row < end:
        last = segments[-1] if segments else None
        described = last is not None and last.kind != 'and' and (
            sentence.lower[last.end - 1] not in PEOPLE) and any(  # 'grab me | that bottle'
            segment.kind in ('noun', 'preposition') for segment in segments)
        segment = cutter.next(row, described)
        segments.append(segment)
        row = segment.end
    return segments


def describes(token: Token) -> bool:
    """Whether the word describes a noun and names no object."""
    return is_modifier(token) or token.pos == 'ADJ' and token.dep == 'amod'


def is_pronoun(sentence: Sentence, segment: Segment) -> bool:
    """Whether a segment is 'it', 'that' or the like."""
    return segment.kind == 'noun' and segment.end == segment.start + 1 and (
        sentence.lower[segment.start] in PRONOUNS)


class _Cutter:
    """Cuts one piece after another from the rows before `end`."""

    def __init__(self, sentence: Sentence, end: int):
        self.tokens, self.lower, self.end = sentence.tokens, sentence.lower, end

    def next(self, row: int, after_noun: bool) -> Segment:
        """The segment that begins at `row`; `after_noun`: whether there is one to describe."""
        coordinator = self.coordinator(row) if after_noun else 0
        if coordinator:
            return Segment('and', row, row + coordinator)
        phrase = self._prepositional(row)
        if phrase is not None:
            return phrase
        adverb = self.adverb(row, after_noun)
        if adverb:
            return Segment('adverb', row, row + adverb)
        if self._goes_on(row, after_noun):
            return Segment('clause', row, self._clause_end(row))
        return Segment('noun', row, self.noun_end(row))

    def preposition(self, row: int) -> Preposition | None:
        """The preposition that begins at `row`; 'the front left of the table' has none there."""
        found = preposition_at(self.lower, row, self.end)
        corner = found is not None and self.lower[row] in SIDEWAYS and row > 0 and (
            self.lower[row - 1] in DIRECTION_OF)
        return None if corner else found

    def _goes_on(self, row: int, after_noun: bool) -> bool:
        """Whether a clause begins, or goes on after 'and': 'that is red and | has a handle'."""
        again = row > 0 and self.lower[row - 1] == 'and' and (
            self.lower[row] in GOING_ON)
        return again or after_noun and self._opens_clause(row)

    def coordinator(self, row: int) -> int:
        """How many words join what comes after with what came; 0 for none."""
        for phrase in AS_AND:
            if self.lower[row:row + len(phrase)] == phrase and row + len(phrase) < self.end:
                return len(phrase)
        listed = self.tokens[row].comma and self.lower[row] in ('then', 'next') and (
            self.lower[row + 1:row + 2] and self.lower[row + 1] in DETERMINERS)
        return int((self.lower[row] in COORDINATORS or bool(listed)) and row + 1 < self.end)

    def adverb(self, row: int, after_noun: bool = True) -> int:
        """How many words of an adverb begin at `row`; 0 for none."""
        found = adverb_length(self.lower, row, self.end)
        if found or not after_noun:
            return found
        token = self.tokens[row]
        if self._is_amount(row):
            return 2
        if token.lower in RESULTS and row + 1 == self.end:
            return 1
        if token.lower in SIDEWAYS and (row + 1 == self.end or self.adverb(row + 1)):
            return 1
        manner = token.lower.endswith('ly') and token.lower not in ED_NOUNS
        return int(manner and (row + 1 == self.end or token.pos == 'ADV'))

    def _is_amount(self, row: int) -> bool:
        """'10 cm', 'ninety degrees'."""
        return row + 1 < self.end and self.lower[row + 1] in UNITS and (
            self.lower[row][0].isdigit() or self.tokens[row].pos == 'NUM'
            or self.lower[row] in ('few', 'two', 'three', 'five', 'ten', 'one', 'a'))

    def _prepositional(self, row: int) -> Segment | None:
        if self._is_purpose(row) or self.adverb(row, after_noun=False) > 2:
            return None  # 'out of the way'
        lead = row
        found = self.preposition(lead)
        while found is None and lead + 1 < self.end and (
                self.lower[lead] in INTENSIFIERS
                or self.lower[lead:lead + 2] in (('a', 'bit'), ('a', 'little'))):
            lead += 1
            found = self.preposition(lead)
        if found is None or lead > row and found.relation == 'of':  # 'all of them'
            return None
        first = lead + found.length
        if first >= self.end or self.tokens[first].comma or self.coordinator(first) \
                or self._no_noun(first):
            return None
        last = self.noun_end(first)
        nouns = [(first, last)]
        if found.relation == 'between' and last < self.end and self.lower[last] == 'and':
            nouns.append((last + 1, self.noun_end(last + 1)))
        return Segment('preposition', row, nouns[-1][1], found, tuple(nouns),
                       self._is_direction(first, last))

    def _is_purpose(self, row: int) -> bool:
        """'something | to drink'."""
        if self.lower[row] != 'to' or row + 1 >= self.end or self.tokens[row + 1].pos != 'VERB':
            return False
        after = self.lower[row + 2] if row + 2 < self.end else 'of'
        alone = after == 'of' and self.lower[row - 1] not in ('something', 'anything')
        return not alone and not describes(self.tokens[row + 1])  # 'to sink', 'to lower left'

    def _no_noun(self, row: int) -> bool:
        """Whether what stands after a preposition is none ('on | next to', 'over | here')."""
        if preposition_at(self.lower, row, self.end) is not None:
            return self.lower[row] not in ('inside', 'outside', 'off')
        if self._is_amount(row):
            return True
        return self.adverb(row, after_noun=False) > 0 and self.lower[row] not in (
            'back', 'a', 'the', 'home')

    def _is_direction(self, first: int, last: int) -> bool:
        words = [word for word in self.lower[first:last] if word not in DETERMINERS]
        said = self.lower[first:last]
        if said in (('each', 'other'), ('one', 'another')) or (
                len(said) == 1 and said[0] in PEOPLE | {'yours', 'mine'}):
            return True
        if 'of' in words:
            at = words.index('of')
            if not words[at + 1:] or words[-1] not in PICTURE:
                return False
            words = words[:at]
        known = DIRECTION_OF.keys() | SIDES | {'far', 'very'}
        return bool(words) and all(word in known for word in words) and any(
            word in DIRECTION_OF or word == 'end' for word in words) and words[-1] != 'one'

    def noun_end(self, start: int) -> int:
        """The row after the noun phrase that begins at `start`."""
        if self._is_pronoun(start):
            return start + 1 + (self.lower[start:start + 2] in (('them', 'all'), ('them', 'both')))
        seen, row = False, start
        while row < self.end:
            if row > start and self._ends_noun(row, seen):
                break
            if row > start and self.lower[row] == 'of' and row + 1 < self.end:
                seen = True
                row = self._end_of_whole(row + 1)
                continue
            seen = seen or not describes(self.tokens[row])
            row += 1
        return max(row, start + 1)

    def _is_pronoun(self, row: int) -> bool:
        lower = self.lower[row]
        if lower in PEOPLE:
            return not (lower == 'her' and self._names(row + 1))
        return lower in PRONOUNS and (lower not in POINTING or not self._names(row + 1))

    def _names(self, row: int) -> bool:
        """Whether a noun phrase goes on at `row`, after a determiner."""
        if row >= self.end or self.tokens[row].comma:
            return False
        lower = self.lower[row]
        return not (preposition_at(self.lower, row, self.end) or self.adverb(row)
                    or self.coordinator(row) or lower in BE | RELATIVES | DETERMINERS)

    def _end_of_whole(self, row: int) -> int:
        """The end of what stands after 'of'; bare nouns go in pairs: 'box of nuts and bolts'."""
        end = self.noun_end(row)
        bare = self.lower[row] not in DETERMINERS
        if bare and end + 1 < self.end and self.lower[end] == 'and' \
                and self.lower[end + 1] not in DETERMINERS and not describes(self.tokens[end + 1]):
            end = self.noun_end(end + 1)
        return end

    def _ends_noun(self, row: int, seen: bool) -> bool:
        lower = self.lower[row]
        if not seen:  # 'the | red and white can', 'the small, red mug', 'the back burner'
            if self.tokens[row].comma and (
                    self.adverb(row) or not describes(self.tokens[row])):
                return True
            joined = self.coordinator(row) and (
                self.lower[row + 1] in DETERMINERS or not describes(self.tokens[row - 1])
                or self.lower[row - 1] in DETERMINERS or not describes(self.tokens[row + 1])
                or self.lower[row - 1] in ORDINALS and self.lower[row + 1] in ORDINALS)
            if joined:
                return True
            before = self.lower[row - 1]
            return before not in DETERMINERS and (
                self._is_phrase(row) or lower in RELATIVES)
        if self.tokens[row].comma or lower in DETERMINERS:
            return True
        if self.coordinator(row):  # 'pot or pan' is one place, 'the pot or the pan' are two
            return lower != 'or' or self.lower[row + 1] in DETERMINERS
        if lower == 'of':
            return row + 1 >= self.end
        return self._is_phrase(row) or self.adverb(row) > 0 or self._opens_clause(row)

    def _is_phrase(self, row: int) -> bool:
        if self._is_purpose(row):
            return False
        if self.lower[row] in INTENSIFIERS and self.preposition(row) is None:
            return self._prepositional(row) is not None
        found = self.preposition(row)
        return found is not None and found.relation != 'of'

    def _opens_clause(self, row: int) -> bool:
        lower, token = self.lower[row], self.tokens[row]
        if lower in RELATIVES or lower in SUBJECTS:
            return row + 1 < self.end
        if lower in BE or self._is_purpose(row):
            return True
        participle = lower.endswith('ing') and len(lower) > 4 and lower not in ING_NOUNS or (
            lower in POSTURES)
        if not participle or row + 1 >= self.end:
            return False
        after = self.lower[row + 1]
        return token.pos in ('VERB', '') or after in DETERMINERS or self._is_phrase(row + 1)

    def _clause_end(self, start: int) -> int:
        """The row after a clause; the phrase right after its verb belongs to it."""
        row = start + (self.lower[start] in RELATIVES)
        while row < self.end:
            if self.tokens[row].comma and row > start:
                break
            phrase = self._prepositional(row)
            if phrase is not None:
                if phrase.preposition.relation == 'of' and row > start:
                    row = phrase.end
                    continue
                return phrase.end if self._wants_phrase(start, row) else row
            if self.coordinator(row) and not (
                    describes(self.tokens[row - 1]) and describes(self.tokens[row + 1])):
                break
            row += 1
        return row

    def _wants_phrase(self, start: int, row: int) -> bool:
        """Whether the word before `row` goes with a place: 'is | on', 'fell | on'."""
        verb, token = self.lower[row - 1], self.tokens[row - 1]
        if verb in BE or verb in POSTURES or row - 1 == start:
            return True
        if row >= 2 and self.lower[row - 2] in BE:
            return False  # 'is broken', 'is missing', 'is red'
        relative = self.lower[start] in RELATIVES and row - 2 == start
        return token.pos == 'VERB' or relative and token.pos in ('', 'NOUN', 'ADJ')
