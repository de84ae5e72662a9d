"""Counted operations and bytes against counts by hand."""

import pytest
import torch
from torch.nn import functional as F

from refdiff_ros.benchmark.counting import OperationCounter
from refdiff_ros.stages import listen, OTHER, stage

FLOAT = 4


def counted(work):
    """Operations, bytes and the result, the same under both ways to leave gradients out."""
    found = []
    for without_gradients in (torch.no_grad, torch.inference_mode):
        with without_gradients(), OperationCounter() as counter:
            result = work()
        found.append((sum(sum(f.values()) for f in counter.flops.values()),
                      sum(counter.moved.values())))
    assert found[0] == found[1]
    return *found[0], result


@pytest.mark.parametrize('product', [
    lambda a, b: a @ b, lambda a, b: torch.einsum('ij,jk->ik', a, b),
    lambda a, b: F.linear(a, b.T)])
def test_a_matrix_product(product):
    a, b = torch.randn(8, 16), torch.randn(16, 4)
    flops, moved, _ = counted(lambda: product(a, b))
    assert flops == 2 * 8 * 16 * 4
    assert moved == FLOAT * (8 * 16 + 16 * 4 + 8 * 4)


def test_a_convolution_reads_its_weights():
    image, kernel = torch.randn(1, 3, 8, 8), torch.randn(5, 3, 3, 3)
    flops, moved, _ = counted(lambda: F.conv2d(image, kernel, padding=1))
    assert flops == 2 * (8 * 8 * 5) * (3 * 3 * 3)
    assert moved == FLOAT * (3 * 64 + 5 * 27 + 5 * 64)


@pytest.mark.parametrize('masked', [False, True])
def test_fused_attention_moves_no_logits(masked):
    query = torch.randn(1, 2, 64, 8)
    mask = torch.zeros(64, 64) if masked else None
    flops, moved, _ = counted(
        lambda: F.scaled_dot_product_attention(query, query, query, attn_mask=mask))
    assert flops == 2 * (2 * 2 * 64 * 64 * 8)  # two products of two heads
    through = 4 * FLOAT * query.numel() + (FLOAT * 64 * 64 if masked else 0)
    # The CPU's kernel also writes a number for each place and head.
    assert moved == through + FLOAT * 2 * 64

    def written_out():
        return (query @ query.transpose(-1, -2)).softmax(-1) @ query
    again, more, _ = counted(written_out)
    assert again == flops
    # Logits and weights: each written and read once.
    assert more == FLOAT * (4 * query.numel() + 4 * 2 * 64**2)


def test_views_move_nothing_and_work_in_place_reads_and_writes():
    values = torch.randn(6, 10)
    assert counted(lambda: values.T.reshape(2, 30)[:, ::2].unsqueeze(0))[1] == FLOAT * 120
    assert counted(lambda: values.view(60)[3:].expand(2, 57))[1] == 0
    assert counted(lambda: values.add_(1))[1] == FLOAT * 120
    assert counted(lambda: values.zero_())[1] == FLOAT * 60


def test_an_expanded_tensor_is_read_as_it_is_stored():
    row = torch.randn(1, 10)
    assert counted(lambda: row.expand(50, 10) + 1)[1] == FLOAT * (10 + 500)


def test_a_table_is_read_where_it_is_looked_up():
    table, rows = torch.randn(1000, 8), torch.tensor([3, 5])
    _, moved, _ = counted(lambda: F.embedding(rows, table))
    assert moved == FLOAT * (2 * 16) + 8 * 2


def test_counting_changes_no_result():
    image = torch.randn(1, 3, 9, 7)
    for resize in ('bilinear', 'bicubic'):
        def work(mode=resize):
            return F.interpolate(image, size=(20, 15), mode=mode, antialias=True)
        flops, moved, result = counted(work)
        assert flops == 0 and moved == FLOAT * 3 * (9 * 7 + 20 * 15)
        torch.testing.assert_close(result, work(), rtol=0, atol=0)


def test_operations_belong_to_the_innermost_stage_and_to_their_format():
    a = torch.randn(4, 4)
    with torch.no_grad(), OperationCounter() as counter, listen(counter.stages):
        a @ a
        with stage('vae'):
            a @ a
            with stage('unet'):
                a.bfloat16() @ a.bfloat16()
        with stage('unet'):
            a @ a
    assert counter.flops == {
        OTHER: {'float32': 128}, 'vae': {'float32': 128}, 'unet 1': {'bfloat16': 128},
        'unet 2': {'float32': 128}}
