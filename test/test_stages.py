"""Stages tell listeners of themselves, in their own thread alone."""

import threading

import pytest

from refdiff_ros.stages import listen, stage


class Recorder:
    def __init__(self):
        self.heard = []

    def enter(self, name):
        self.heard.append(f'+{name}')

    def leave(self, name):
        self.heard.append(f'-{name}')


@stage('outer')
def outer():
    with stage('inner'):
        return 5


def test_nested_stages_are_heard_in_order():
    recorder = Recorder()
    with listen(recorder):
        assert outer() == 5
        assert outer() == 5
    assert recorder.heard == ['+outer', '+inner', '-inner', '-outer'] * 2


def test_without_a_listener_stages_run_all_the_same():
    recorder = Recorder()
    with listen(recorder):
        pass
    assert outer() == 5 and recorder.heard == []


def test_a_stage_that_fails_ends():
    recorder = Recorder()
    with listen(recorder), pytest.raises(ValueError), stage('bad'):
        raise ValueError
    assert recorder.heard == ['+bad', '-bad']


def test_another_thread_is_not_heard():
    recorder = Recorder()
    with listen(recorder):
        thread = threading.Thread(target=outer)
        thread.start()
        thread.join()
    assert recorder.heard == []


def test_two_listeners_leave_in_reverse():
    calls = []

    class Named:
        def __init__(self, name):
            self.name = name

        def enter(self, _):
            calls.append(f'{self.name}+')

        def leave(self, _):
            calls.append(f'{self.name}-')
    with listen(Named('a')), listen(Named('b')), stage('x'):
        pass
    assert calls == ['a+', 'b+', 'b-', 'a-']
