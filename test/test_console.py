"""Lines that say how far a run is, and names in a line."""

import os
import pty
import sys
import termios

import pytest

from refdiff_ros.console import Progress, some


@pytest.fixture
def tell(capsys):
    """The lines of a run of so many steps, each long enough for a line."""
    def told(total, steps, done=0, every_s=0.0):
        with Progress('case', total, done, every_s) as progress:
            for _ in range(steps):
                progress.step()
        return capsys.readouterr().err.splitlines()
    return told


def test_a_log_gets_whole_lines(tell):
    lines = tell(3, 3)
    assert [line.split(',')[0] for line in lines] == ['case 1 of 3', 'case 2 of 3', 'case 3 of 3']
    assert not any('\r' in line or '|' in line for line in lines)


def test_between_lines_there_is_quiet_and_the_end_is_told(tell):
    assert [line.split(',')[0] for line in tell(50, 50, every_s=600)] == ['case 50 of 50']


def test_what_an_earlier_run_did_counts_for_how_far_it_is(tell):
    assert tell(1000, 1, done=499, every_s=600)[-1].startswith('case 500 of 1000, ')


def test_an_unknown_number(tell):
    last = tell(None, 2, every_s=600)[-1]
    assert last.startswith('case 2, ')
    assert 'left' not in last  # nobody knows how much is left


def test_a_broken_off_run_says_how_far_it_came(capsys):
    with pytest.raises(KeyboardInterrupt), Progress('case', 9, every_s=600) as progress:
        progress.step()
        raise KeyboardInterrupt
    assert capsys.readouterr().err.startswith('case 1 of 9, ')


def test_a_terminal_gets_a_bar_that_lines_do_not_run_into(monkeypatch):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with os.fdopen(theirs, 'w') as terminal:
        monkeypatch.setattr(sys, 'stderr', terminal)
        with Progress('case', 2) as progress:
            progress.step()
            progress.say('scene 3: no mask')
            progress.step()
        shown = ''
        while '2/2 [' not in shown:  # a terminal passes on what it gets bit by bit
            shown += os.read(ours, 65536).decode()
    os.close(ours)
    assert '\rscene 3: no mask' in shown.replace('\x1b[A', '')


def test_many_names_are_cut():
    assert some(['a', 'b', 'c'], 2) == 'a, b and 1 more' and some(['a', 'b'], None) == 'a, b'
