"""Which prepositional phrase says where something goes, and which only which thing is meant.

In 'put the mug on the tray' the phrase says where the mug goes, in 'pick up the mug on the tray'
which mug. The verb decides whether a place is looked for at all (`frames.Goal`); the prepositions
decide which phrase says it (`prepositions.Kind`): in 'put the ball behind the box in the bowl' the
ball is behind the box and goes in the bowl, in 'put the ball in the bowl behind the box' the bowl
is behind it. The tree is not asked: for a parser that has not seen the scene this is a guess.
"""

from refdiff_ros.language.instruction.frames import Frame, Goal
from refdiff_ros.language.instruction.prepositions import Kind
from refdiff_ros.language.instruction.roles import Group, is_grip
from refdiff_ros.language.instruction.segments import is_pronoun, Segment
from refdiff_ros.language.instruction.sentence import Sentence

# Nearly everything is on one of these, so that they are seldom where a thing goes if another
# place is named; the second kind holds things that are places themselves.
_GROUNDS = frozenset('table desk counter countertop floor ground worktop bench workbench'.split())
_FURNITURE = frozenset(
    'shelf shelves cabinet cupboard fridge refrigerator kitchen room sink oven stove wall corner '
    'office garage bathroom bedroom wardrobe closet freezer'.split())
_RANK = {Kind.BESIDE: 1.0, Kind.SIDE: 1.5, Kind.INSIDE: 2.0, Kind.TOWARDS: 3.0}
_SIDE_OF_A_WAY = 2.5  # 'move it to the left of the box' before 'in' and 'on'
_AFTER_ADVERB = 5.0
_BROUGHT = frozenset('bring carry deliver'.split())
_ANY = frozenset((Kind.BESIDE, Kind.SIDE, Kind.INSIDE, Kind.TOWARDS))
_PLACES = {
    Goal.NEEDED: _ANY, Goal.OPTIONAL: _ANY, Goal.PUSHED: _ANY - {Kind.INSIDE},
    Goal.TO: frozenset((Kind.TOWARDS,)), Goal.NONE: frozenset(),
}


def candidates(sentence: Sentence, group: Group, frame: Frame) -> list[int]:
    """The segments of a group that may say where something goes."""
    return [at for at, segment in enumerate(group)
            if segment.kind == 'preposition' and not segment.direction
            and (segment.preposition.kind in _PLACES[frame.goal]
                 or segment.preposition.relation == 'at' and frame.verb in _BROUGHT)
            and (frame.goal is not Goal.TO or segment.preposition.relation != 'away from')
            and not is_grip(sentence, segment, frame)]


def best(sentence: Sentence, group: Group, among: list[int], frame: Frame) -> int:
    """The likeliest of `candidates`, at least one."""
    if is_pronoun(sentence, group[0]):
        return among[0]  # nothing describes 'it'
    # 'behind the cup and next to the box' are two places, and no way from one to the other.
    among = [at for at in among if at < 2 or group[at - 1].kind != 'and'
             or at - 2 not in among] or among
    ranks = {at: _rank(sentence, group[at], frame) for at in among}
    for at in among:
        if at and group[at - 1].kind == 'adverb':  # 'the lid | back on the pot'
            ranks[at] += _AFTER_ADVERB
    top = max(ranks.values())
    tied = [at for at in among if ranks[at] == top]
    first, last = group[tied[0]].preposition, group[tied[-1]].preposition
    # 'the apple on the towel in the box' is on the towel, 'the vial in the rack on the tray' goes
    # into that rack; of two that say a way, the last says its end.
    later = first.kind is Kind.TOWARDS or (first.relation, last.relation) == ('on', 'in')
    return tied[-1] if later else tied[0]


def _rank(sentence: Sentence, segment: Segment, frame: Frame) -> float:
    kind = segment.preposition.kind
    rank = _SIDE_OF_A_WAY if kind is Kind.SIDE and frame.travels else _RANK[kind]
    words = sentence.words(segment.nouns[0])
    if kind is Kind.TOWARDS or 'of' in words:
        return rank
    return rank - (1.1 if words[-1] in _GROUNDS else 0.5 if words[-1] in _FURNITURE else 0.0)
