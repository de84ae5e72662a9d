"""Texts from outside, made valid at the door: every one can be sent, logged and tokenised.

A browser sends half of a surrogate pair, a shell what is no UTF-8, a keyboard an accent apart from
its letter, and anybody a megabyte.
"""

import unicodedata

MAX_CHARACTERS = 1000


def valid_text(text: str) -> str:
    """`text` in composed letters (NFC), with U+FFFD for what UTF-8 cannot hold."""
    whole = text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')
    return unicodedata.normalize('NFC', whole)


def from_outside(text: str, limit: int = MAX_CHARACTERS) -> str:
    """`valid_text`, cut after `limit` characters and one more, by which it is seen to be too long.

    What is kept of a text that is refused goes into logs and messages again and again.
    """
    # Composing makes a text shorter, but not by more than this.
    return valid_text(text[:8 * (limit + 1)])[:limit + 1]
