"""A CLIP tokenizer with a vocabulary of its own, made in memory.

Byte-level BPE as CLIP's: any text can be encoded, words of the list are one token, other words
fall apart into several.
"""

from collections.abc import Sequence
import itertools
from typing import Any

from refdiff_ros.optional import require_package

START, END = '<|startoftext|>', '<|endoftext|>'
MAX_TOKENS = 77

# Those of the models with random weights: their draws must not change with the words below.
FIRST_WORDS = tuple(sorted(set(
    # function words
    'a an the this that of to in on at by for with and or is are it its which who whose one '
    'photo picture image object thing person man woman robot hand table desk floor wall '
    # where
    'left right top bottom front back middle center centre upper lower leftmost rightmost '
    'nearest closest farthest near next behind under above below between beside over far '
    'corner side edge first second third last most '
    # what it looks like
    'red green blue yellow orange purple pink brown black white grey gray cyan magenta '
    'big small large little tall short long round square thin wide dark light bright striped '
    'empty full open closed metal wooden plastic glass paper '
    # things on tables
    'apple ball banana bag basket block book bottle bowl box brick brush button cable camera can '
    'cap carton chair cloth coin cone container cover cube cup cylinder cutter disc dish drill '
    'duck fork fruit funnel hammer handle jar jug key keyboard kettle knife lamp lemon lid mouse '
    'mug nail nut orange pan pear pen pencil phone pitcher plate pot ring ruler scissors screw '
    'screwdriver shoe spatula sponge spoon sphere stapler tape toy tray tube wrench'.split())))
WORDS = tuple(sorted({*FIRST_WORDS, 'coloured', 'teapot', 'turquoise', 'two'}))


def build_tokenizer(words: Sequence[str] = WORDS) -> Any:
    """A `CLIPTokenizer` that pads and cuts to 77 tokens.

    Args:
        words: each is one token; others fall apart into several.

    Raises:
        MissingPackageError: transformers is not installed.
    """
    transformers = require_package('transformers', 'models')
    vocabulary, merges = _vocabulary(words)
    return transformers.CLIPTokenizer(
        vocab=vocabulary, merges=merges, model_max_length=MAX_TOKENS, bos_token=START,
        eos_token=END, unk_token=END, pad_token=END)


def _byte_letters() -> list[str]:
    """The 256 letters that stand for bytes in byte-level BPE, in the order of CLIP's file.

    Printable bytes stand for themselves, the others for letters from U+0100 on.
    """
    printable = [*range(ord('!'), ord('~') + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = len(set(range(256)) - set(printable))
    return [chr(code) for code in printable] + [chr(0x100 + i) for i in range(others)]


def _vocabulary(words: Sequence[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    letters = _byte_letters()
    tokens = dict.fromkeys(letters + [letter + '</w>' for letter in letters])
    ranks: dict[tuple[str, str], int] = {}
    for word in words:
        # Merges made for earlier words come first in BPE's order, so they are applied first here
        # too; what they leave is joined by new merges, which later words cannot disturb.
        pieces = _merge([*word[:-1], word[-1] + '</w>'], ranks)
        while len(pieces) > 1:
            ranks[pieces[0], pieces[1]] = len(ranks)
            pieces = [pieces[0] + pieces[1], *pieces[2:]]
            tokens.setdefault(pieces[0])
    tokens.update(dict.fromkeys((START, END)))
    return {token: number for number, token in enumerate(tokens)}, list(ranks)


def _merge(pieces: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    """Byte-pair encoding: the known pair of lowest rank is joined until none is left."""
    while True:
        known = [(ranks[pair], i) for i, pair in enumerate(itertools.pairwise(pieces))
                 if pair in ranks]
        if not known:
            return pieces
        _, i = min(known)
        pieces = [*pieces[:i], pieces[i] + pieces[i + 1], *pieces[i + 2:]]
