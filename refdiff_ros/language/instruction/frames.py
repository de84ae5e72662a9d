"""What verbs need: 'put' a place, 'pick up' none; which particles they take; when they are nouns.

The classes are small and closed in practice: a verb that is not here is read as an action of its
own (`OTHER`) on one object.
"""

from dataclasses import dataclass
import enum
from functools import cache

from refdiff_ros.language.instruction.results import Action


class Goal(enum.Enum):
    """How a verb goes with a place.

    NEEDED: 'put'; the place is looked for among all prepositional phrases and missed if absent.
    OPTIONAL: 'drop'; likewise, and not missed. TO: 'take'; only 'to', 'into', 'onto' say a place,
    and then the action is to place something. PUSHED: 'push'; 'on' and 'in' say where it is and
    all others where it goes. NONE: every phrase describes the object.
    """

    NEEDED = 'needed'
    OPTIONAL = 'optional'
    TO = 'to'
    PUSHED = 'pushed'
    NONE = 'none'


@dataclass(frozen=True)
class Frame:
    """What one verb needs.

    Attributes:
        verb: its base form.
        action: what it does.
        goal: how it goes with a place.
        particles: words that belong to the verb ('pick up', 'look at').
        travels: whether 'to' says its place before 'on' and 'in' do ('move', not 'put').
        noun: whether it is a noun or an adjective as well ('hand', 'open').
        tool: whether 'with' says what it is done with ('wipe the table with the cloth').
        goes: whether, without an object, the robot itself moves ('move to', 'stop next to').
    """

    verb: str
    action: Action
    goal: Goal = Goal.NONE
    particles: frozenset[str] = frozenset()
    travels: bool = False
    noun: bool = False
    tool: bool = False
    goes: bool = False


_PICK = 'pick grasp collect hold seize snatch scoop catch gather unhook extract detach acquire ' \
    'obtain grip clutch raise reach remove'
_TAKE = 'grab take lift get fetch bring carry deliver retrieve haul'
_PUT = 'put place set stack insert pour hang lay position stick store load deposit stow lower ' \
    'tuck pop mount arrange rest stash lean balance attach pile rearrange fit hook line align keep'
_MOVE = 'move scoot slide transfer return relocate shift drag'
_DROP = 'drop throw toss release leave discard dump chuck plug unload sling'
_PUSH = 'sweep push pull shove roll nudge knock'
_HAND = 'give hand pass offer lend'
_POINT = 'point show find locate highlight select choose segment identify look see indicate ' \
    'spot detect search mark inspect check watch tell'
_GO = 'go navigate drive walk come head travel run proceed step'
_VISIT = 'approach'
# Other verbs, listed so that a slip of the pen is not looked for in them.
_OTHER = 'open close press turn switch wipe cut touch fill shake rotate clean cover stir slice ' \
    'unscrew flip tighten squeeze follow wash dry peel chop unlock lock fold screw hammer brush ' \
    'scrape poke tap scrub mix spread draw write wrap tie fasten loosen dust polish water ' \
    'hit kick click use track empty pack unpack sort count measure tilt twist crank bend break ' \
    'tear light paint spray fix repair assemble connect disconnect unplug rinse heat cook bake ' \
    'boil eat drink smell taste read wear clear park pat pet rub pin plant sand wave feed bump ' \
    'describe crush clip avoid'
_STAY = 'stop wait stand stay park'

_NOUNS = frozenset(
    'hand open close point place press turn drop hold look switch touch set clean cover cut stack '
    'store watch mark use reach fill dry stop park wait return plug can water slide roll pop '
    'stick pass lift light spot shift load hook mount rest lower empty position throw dump pile '
    'hammer brush screw show track head run walk drive box tap lock mix dust polish paint spray '
    'fix read clear scoop catch grip raise step line fit lean balance search check fold lay tie '
    'draw write wrap measure count sort pack sand plant pin pet pat wave feed tear break bend '
    'twist tilt crank heat cook boil drink smell taste wash peel kick click bump release find '
    'transfer return deposit shake slice toss lend leave hang select haul sling pick knock push '
    'pull gather select clip'.split())
_TOOLS = frozenset(
    'wipe cut clean cover fill stir slice unscrew flip tighten wash dry peel chop screw hammer '
    'brush sweep scrape poke tap scrub mix spread draw write wrap tie fasten loosen dust polish '
    'water hit rinse paint spray fix repair bend break rub turn twist crush'.split())
_PARTICLES = {
    'pick': 'up out', 'give': 'back', 'bring': 'over back', 'get': 'out', 'take': 'out away off',
    'put': 'down away back', 'set': 'down', 'lay': 'down', 'pull': 'out', 'throw': 'away out',
    'lift': 'up', 'find': 'out', 'wipe': 'off down up', 'pass': 'over', 'hand': 'over',
    'point': 'to at out', 'look': 'at for', 'search': 'for', 'turn': 'on off over around down up',
    'switch': 'on off', 'hold': 'onto up', 'drop': 'off', 'clean': 'up', 'reach': 'for',
    'head': 'for', 'snatch': 'up', 'scoop': 'up', 'raise': 'up', 'open': 'up', 'press': 'down on',
    'push': 'down', 'cut': 'off up', 'grab': 'onto', 'gather': 'up', 'stack': 'up', 'fill': 'up',
    'tap': 'on', 'click': 'on', 'bump': 'into', 'knock': 'over down', 'flip': 'over', 'roll': '',
    'check': 'on', 'clear': 'up away', 'screw': 'in', 'plug': 'in', 'carry': 'over',
    'tighten': 'up', 'pack': 'up away', 'catch': '', 'load': 'up', 'tidy': 'up', 'light': 'up',
    'store': 'away', 'stash': 'away', 'move': 'over', 'shove': '', 'use': 'up', 'line': 'up',
    'return': 'back',
}
_GROUPS = (
    (_PICK, Action.PICK, Goal.NONE), (_TAKE, Action.PICK, Goal.TO),
    (_PUT, Action.PLACE, Goal.NEEDED), (_MOVE, Action.PLACE, Goal.NEEDED),
    (_DROP, Action.PLACE, Goal.OPTIONAL), (_PUSH, Action.OTHER, Goal.PUSHED),
    (_HAND, Action.HAND, Goal.NONE), (_POINT, Action.POINT, Goal.NONE),
    (_GO, Action.GO, Goal.NONE), (_VISIT, Action.GO, Goal.NONE), (_STAY, Action.GO, Goal.NONE),
    (_OTHER, Action.OTHER, Goal.NONE),
)
_GOES = frozenset(f'{_GO} {_STAY} move return roll back slide get turn'.split())
_IRREGULAR = {
    'took': 'take', 'taken': 'take', 'gave': 'give', 'given': 'give', 'brought': 'bring',
    'held': 'hold', 'hung': 'hang', 'laid': 'lay', 'thrown': 'throw', 'threw': 'throw',
    'got': 'get', 'gotten': 'get', 'stuck': 'stick', 'found': 'find', 'shown': 'show',
    'caught': 'catch', 'swept': 'sweep', 'went': 'go', 'gone': 'go', 'came': 'come',
    'seen': 'see', 'lent': 'lend', 'leant': 'lean',
}


def _table() -> dict[str, Frame]:
    frames: dict[str, Frame] = {}
    for verbs, action, goal in _GROUPS:
        for verb in verbs.split():
            frames.setdefault(verb, Frame(
                verb, action, goal, frozenset(_PARTICLES.get(verb, '').split()),
                travels=verbs in (_TAKE, _MOVE, _PUSH), noun=verb in _NOUNS, tool=verb in _TOOLS,
                goes=verb in _GOES))
    return frames


FRAMES = _table()


def unknown_frame(verb: str) -> Frame:
    """The frame of a verb that is not listed: something is done to one object."""
    return Frame(verb, Action.OTHER, tool=True)


@cache
def base_form(word: str) -> str:
    """The base form of an inflected verb of the table ('putting', 'moved'), else `word`.

    Args:
        word: in lower case.
    """
    if word in FRAMES:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for suffix in ('ing', 'ed', 'es', 's'):
        if not word.endswith(suffix):
            continue
        stem = word[:-len(suffix)]
        doubled = stem[:-1] if stem[-1:] == stem[-2:-1] else stem
        for form in (stem, stem + 'e', doubled):
            if form in FRAMES:
                return form
    return word


def frame_of(word: str) -> Frame | None:
    """The frame of a verb in any inflection; None for a word that is not listed."""
    return FRAMES.get(base_form(word))
