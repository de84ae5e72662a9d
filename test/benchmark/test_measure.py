"""Seconds and memory per stage."""

import numpy as np
import pytest
import torch

from refdiff_ros.benchmark.measure import measure, Passes
from refdiff_ros.benchmark.memory import PeakMemory
from refdiff_ros.benchmark.peak import MachinePeak, measure_peak
from refdiff_ros.stages import listen, OTHER, sort_key, stage, StageTimes

CPU = torch.device('cpu')


class Clock:
    """A clock that is moved by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr('refdiff_ros.stages.time.perf_counter', clock)
    return clock


def test_a_stage_within_another_counts_for_itself(clock):
    times = StageTimes(clock)
    times.start()
    with listen(times):
        clock.now += 1
        with stage('sam_masks'):
            clock.now += 2
            with stage('sam_prompts'):
                clock.now += 4
            clock.now += 8
    clock.now += 16
    times.stop()
    assert times.seconds == {OTHER: 17, 'sam_masks': 10, 'sam_prompts': 4}


@pytest.mark.parametrize('numbered,labels', [
    (True, {OTHER, 'unet 1', 'unet 2'}), (False, {OTHER, 'unet'})])
def test_passes_of_the_unet_are_told_apart(clock, numbered, labels):
    times = StageTimes(clock, numbered)
    times.start()
    with listen(times):
        for _ in range(2):
            with stage('unet'):
                clock.now += 1
    assert set(times.seconds) == labels


def test_stages_are_shown_in_the_order_in_which_a_reader_expects_them():
    assert sorted([OTHER, 'grasp', 'unet 2', 'unet 1', 'vae'], key=sort_key) == [
        'vae', 'unet 1', 'unet 2', 'grasp', OTHER]


def test_each_pass_is_prepared_and_timed(clock):
    calls = []

    def work():
        calls.append('work')
        with stage('vae'):
            clock.now += 3
        clock.now += 1
    found = measure(work, CPU, Passes(2, lambda: calls.append('prepare')))
    assert calls == ['prepare', 'work'] * 3
    assert found.seconds == (4, 4) and found.stages == {'vae': (3, 3), OTHER: (1, 1)}
    assert found.counts is not None and not found.timed_while_counting


def test_without_repeats_the_counted_pass_is_the_timed_one(clock):
    a = torch.randn(4, 4)

    def work():
        clock.now += 2
        return a @ a
    found = measure(work, CPU, Passes(0))
    assert found.seconds == (2,) and found.timed_while_counting
    assert found.counts.flops == {OTHER: {'float32': 128}}


def test_the_most_memory_of_a_stage_and_of_the_whole():
    memory = PeakMemory(CPU)
    if not memory.reliable:
        pytest.skip('this system cannot forget a peak')
    with listen(memory):
        with stage('vae'):
            held = np.ones(50_000_000)  # 400 MB
            del held
        with stage('unet'):
            pass
    assert memory.peaks['vae'] - memory.peaks['unet 1'] > 300e6
    assert memory.peak == max(memory.peaks.values())


def test_least_seconds_are_those_of_each_format_at_its_own_rate():
    peak = MachinePeak(flops={'float32': 10.0, 'bfloat16': 100.0}, moved=50.0)
    assert peak.least_seconds({'float32': 20, 'bfloat16': 100}, 200) == (3.0, 4.0)
    assert peak.least_seconds({'float64': 20}, 0) == (2.0, 0.0)  # as the slowest


def test_the_machine_has_a_peak(monkeypatch):
    monkeypatch.setattr('refdiff_ros.benchmark.peak._SIDES', {'cpu': (64,)})
    monkeypatch.setattr('refdiff_ros.benchmark.peak._COPIED', {'cpu': 1 << 16})
    peak = measure_peak(CPU, [torch.float32, torch.float32])
    assert list(peak.flops) == ['float32']
    assert peak.flops['float32'] > 1e6 and peak.moved > 1e6
