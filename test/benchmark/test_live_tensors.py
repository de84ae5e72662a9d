"""Bytes that tensors hold, and 16 bit memory on a machine that computes in float32."""

import json

import pytest
from script_modules import load_script
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from refdiff_ros.benchmark.counting import OperationCounter
from refdiff_ros.benchmark.live_tensors import LiveTensors
from refdiff_ros.stages import listen, stage

FLOAT = 4


@pytest.fixture(scope='module')
def half_memory():
    try:
        return load_script('bench/half_memory.py')
    except FileNotFoundError:
        pytest.skip('bench/ comes with a checkout')


def test_what_lives_at_once_counts_and_what_was_freed_does_not():
    values = torch.randn(1000)
    live = LiveTensors()
    before = live.peak
    assert before >= FLOAT * 1000  # what there is already
    with torch.inference_mode(), OperationCounter(live=live) as counter, listen(
            counter.stages), listen(live):
        with stage('vae'):
            twice = torch.cat([values, values])
            del twice
            (values + 1).view(10, 100).T.add_(1)  # one new tensor, whatever is made of it
        with stage('unet'):
            kept = values * 2
            assert kept[:5].sum() != 0
            sums = values.cumsum(0) + kept  # what comes first goes when both are added
    grown = {name: size - before for name, size in live.peaks.items()}
    assert grown['vae'] == FLOAT * 2000
    assert grown['unet 1'] == FLOAT * 3000
    assert live.peak - before == FLOAT * 3000
    del kept, sums
    assert LiveTensors().peak == before


def test_shapes_without_values_take_nothing():
    before = LiveTensors().peak
    with FakeTensorMode():
        fake = torch.zeros(1000)
    shapes = torch.zeros(1000, device='meta')
    assert LiveTensors().peak == before
    assert len(fake) == len(shapes) == 1000


@pytest.mark.parametrize('work', [
    lambda x: x @ x.T, lambda x: torch.baddbmm(x[None], x[None], x[None]),
    lambda x: x[None].clone().baddbmm_(x[None], x[None]),
    lambda x: torch.nn.functional.conv2d(x[None, None], x[None, None, :3, :3]),
    lambda x: torch.nn.functional.scaled_dot_product_attention(
        x[None, None], x[None, None], x[None, None])])
def test_products_in_float_are_those_of_16_bit_but_rounded_once(half_memory, work):
    values = torch.randn(8, 8)
    with torch.inference_mode():
        with half_memory.ProductsInFloat():
            found = work(values.bfloat16())
        assert found.dtype is torch.bfloat16
        torch.testing.assert_close(
            found, work(values.bfloat16().float()).bfloat16(), rtol=1e-2, atol=1e-2)
        with half_memory.ProductsInFloat():
            torch.testing.assert_close(work(values), work(values), rtol=0, atol=0)


@pytest.fixture
def counted(half_memory, tmp_path, monkeypatch):
    """What the command writes of small models for an option."""
    def count(option, value):
        path = tmp_path / f'{value}.json'
        monkeypatch.setattr('sys.argv', [
            'half_memory', '--size', 'mini', option, value, '--proposals', '6',
            '--json', str(path)])
        half_memory.main()
        return json.loads(path.read_text())
    return count


def test_lighter_segmentors_are_counted_too(counted):
    found = [counted('--segmentor', segmentor)[0] for segmentor in ('vit_h', 'sam2_tiny')]
    assert found[0]['weights']['sam'] != found[1]['weights']['sam']
    assert all(each['peak_bytes'] > sum(each['weights'].values()) for each in found)


def test_16_bit_is_half_of_the_weights_and_the_copies_are_not_counted(
        counted, capsys):
    found = {dtype: counted('--dtype', dtype) for dtype in ('float32', 'bfloat16')}
    wide, half = found['float32'][0], found['bfloat16'][0]
    assert [each['part'] for each in found['bfloat16']] == ['first', 'next']
    for name in ('vae', 'unet', 'text_encoder', 'clip'):
        assert half['weights'][name] == pytest.approx(wide['weights'][name] / 2, rel=0.01)
    assert half['stages']['vae'] < 0.7 * wide['stages']['vae']
    for each in (wide, half):
        assert sum(each['weights'].values()) < each['peak_bytes'] < 1e9
        assert each['low_memory_bytes'] < each['peak_bytes']
    assert 'with low_memory' in capsys.readouterr().out
