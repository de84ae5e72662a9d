"""Write `vocabulary/real_words.txt`: `python -m training.parser.real_words WORD_LIST`.

The list holds each word of a dictionary (one a line; the shipped one is of wamerican, SCOWL) that
`slips` would otherwise take for a slip of an object's name or a verb: 'bow' of 'bowl'.
"""

import argparse
from pathlib import Path
import textwrap

from refdiff_ros.language.instruction import slips
from refdiff_ros.language.instruction.frames import frame_of, FRAMES

_HEADER = """\
# Real English words that lie a slip of the pen away from a word of the reader. Written by
# training/parser/real_words.py from SCOWL. Copyright 2000-2011 by Kevin Atkinson. Permission to
# use, copy, modify, distribute and sell these word lists, the associated scripts, the output
# created from the scripts, and its documentation for any purpose is hereby granted without fee,
# provided that the above copyright notice appears in all copies and that both that copyright
# notice and this permission notice appear in supporting documentation. Kevin Atkinson makes no
# representations about the suitability of this array for any purpose. It is provided "as is"
# without express or implied warranty.
"""
# Real words of technology and of British spelling that the dictionary lacks.
_MORE = 'cpu gpu usb grey metre litre tyre mould cosy plough'.split()


def real_words(dictionary: Path) -> list[str]:
    """The words of a dictionary that lie near a known word; without names and possessives."""
    words = dictionary.read_text(encoding='utf-8').split()
    plain = {word.lower() for word in words if word.isalpha() and (
        word.islower() or word.isupper())}
    return sorted(word for word in plain.union(_MORE) if slips.nearest(word) is not None
                  or frame_of(word) is None and any(
                      slips.is_one_slip(word, verb) for verb in FRAMES))


def main() -> None:
    """Write the list."""
    parser = argparse.ArgumentParser(prog='python -m training.parser.real_words')
    parser.add_argument('dictionary', type=Path, help='for example /usr/share/dict/words')
    words = real_words(parser.parse_args().dictionary)
    path = Path(slips.__file__).parent / 'vocabulary' / 'real_words.txt'
    path.write_text(_HEADER + textwrap.fill(' '.join(words), 99) + '\n', encoding='utf-8')
    print(f'{len(words)} words in {path}')


if __name__ == '__main__':
    main()
