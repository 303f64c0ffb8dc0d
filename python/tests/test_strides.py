"""Strides: the values follow the logical index, and no other byte changes."""

import itertools

import ml_dtypes
import numpy as np
import pytest
import torch

from seedbed import Key, Region, _fill, fill

KEY = Key(42, 7).named("w")
DTYPES = [np.float32, np.float16, ml_dtypes.bfloat16]


def bits(x):
    return x.view(f"u{x.itemsize}")


def whole(shape, init="normal", dtype=np.float32, key=KEY):
    return fill(np.empty(shape, dtype), init, key)


def views(shape):
    """Writable views of this shape, each with the memory that it is a view of."""
    rank = len(shape)
    yield np.zeros(shape), lambda a: a
    for axes in itertools.permutations(range(rank)):
        memory = np.zeros([shape[axis] for axis in axes])
        yield memory, lambda a, axes=axes: a.transpose(np.argsort(axes))
    for gaps in itertools.product((0, 3), repeat=rank):
        memory = np.zeros([n + gap for n, gap in zip(shape, gaps)])
        yield memory, lambda a: a[tuple(slice(a.shape[i] - n, None) for i, n in enumerate(shape))]
    memory = np.zeros([2 * n for n in shape])
    yield memory, lambda a: a[tuple(slice(None, None, 2) for _ in shape)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5,), (3, 4), (1, 5), (5, 1), (2, 3, 4), (3, 1, 4), (2, 2, 2, 3)])
@pytest.mark.parametrize("init", ["normal", "trunc_normal(std=0.5)", "formula('i0+i/64')"])
def test_views_hold_the_values_of_the_logical_index(shape, dtype, init, monkeypatch):
    expected = whole(shape, init, dtype)
    for piece, copied in [(1 << 14, 1 << 20), (1, 3)]:
        monkeypatch.setattr(_fill, "MIN_PIECE", piece)
        monkeypatch.setattr(_fill, "MAX_COPIED", copied)
        for memory, view in views(shape):
            memory = np.full(
                memory.shape,
                0x5A5A5A5A & (2 ** (8 * np.dtype(dtype).itemsize) - 1),
                f"u{np.dtype(dtype).itemsize}",
            )
            untouched = memory.copy()
            x = view(memory.view(dtype))
            assert x.shape == shape
            assert fill(x, init, KEY) is x
            np.testing.assert_array_equal(bits(np.ascontiguousarray(x)), bits(expected))
            # The bytes around the elements are those of before.
            view(untouched)[...] = bits(expected)
            np.testing.assert_array_equal(memory, untouched)


def test_pieces_of_a_shard_of_a_larger_tensor(monkeypatch):
    full = whole((6, 5, 8))
    region = Region([6, 5, 8]).shard([1, 2, 3], [4, 3, 5])
    expected = full[1:5, 2:5, 3:8]
    for piece, copied in [(1 << 14, 1 << 20), (1, 3)]:
        monkeypatch.setattr(_fill, "MIN_PIECE", piece)
        monkeypatch.setattr(_fill, "MAX_COPIED", copied)
        for memory, view in views((4, 3, 5)):
            x = view(np.zeros(memory.shape, np.float32))
            fill(x, "normal", KEY, region=region)
            np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("init", ["orthogonal", "jax::orthogonal()", "keras::orthogonal"])
def test_orthogonal_matrices(init):
    expected = whole((12, 8), init)
    for memory, view in views((12, 8)):
        x = fill(view(np.zeros(memory.shape, np.float32)), init, KEY)
        np.testing.assert_array_equal(x, expected)
    part = fill(np.empty((5, 3), np.float32), init, KEY, region=Region([12, 8]).shard([2, 4], [5, 3]))
    np.testing.assert_array_equal(part, expected[2:7, 4:7])


def test_large_strided_arrays():
    expected = whole((700, 1000))
    for x in [
        np.zeros((1000, 700), np.float32).T,
        np.zeros((700, 1024), np.float32)[:, 8:1008],
        np.zeros((1400, 1000), np.float32)[::2],
        np.zeros((700, 2000), np.float32)[:, ::2],
    ]:
        np.testing.assert_array_equal(fill(x, "normal", KEY), expected)


def test_views_of_tensors():
    expected = whole((6, 4))
    for make in [
        lambda: torch.zeros(4, 6).T,
        lambda: torch.zeros(6, 9)[:, 3:7],
        lambda: torch.zeros(12, 8)[::2, ::2],
        lambda: torch.zeros(100)[3:27].view(6, 4),
        lambda: torch.nn.Parameter(torch.zeros(4, 6)).T,
        lambda: torch.zeros(1, 6, 4, 1).squeeze(),
        lambda: torch.zeros(2, 6, 4, 5, 3).to(memory_format=torch.channels_last_3d)[1, :, :, 2, 1],
    ]:
        np.testing.assert_array_equal(fill(make(), "normal", KEY).detach().numpy(), expected)
    images = torch.zeros(3, 4, 5, 6).to(memory_format=torch.channels_last)
    np.testing.assert_array_equal(fill(images, "normal", KEY).numpy(), whole((3, 4, 5, 6)))


def test_unaligned_memory():
    memory = bytearray(4 * 12 + 1)
    x = np.ndarray((3, 4), np.float32, memory, 1)
    np.testing.assert_array_equal(fill(x, "normal", KEY), whole((3, 4)))
    records = np.zeros(10, [("a", "u1"), ("b", "f4"), ("c", "f2")])
    fill(records["b"], "normal", KEY)
    np.testing.assert_array_equal(records["b"], whole((10,)))
    assert not records["a"].any() and not records["c"].any()
    columns = np.zeros((5, 3), [("a", "u1"), ("b", "f4")])
    fill(columns["b"], "normal", KEY)
    np.testing.assert_array_equal(columns["b"], whole((5, 3)))


def test_what_is_refused():
    x = np.zeros((4, 6), np.float32)
    for view, message in [
        (x[::-1], "negative stride"),
        (x[:, ::-1], "negative stride"),
        (np.broadcast_to(x[:1], (4, 6)), "read-only"),
        (np.lib.stride_tricks.as_strided(x, (4, 6), (0, 4)), "share memory"),
        (np.lib.stride_tricks.as_strided(x, (4, 3), (8, 4)), "share memory"),
        (np.lib.stride_tricks.as_strided(x, (4, 3), (4, 0)), "share memory"),
    ]:
        with pytest.raises(ValueError, match=message):
            fill(view, "normal", KEY)
    for view in [torch.zeros(1, 6).expand(4, 6), torch.zeros(24).as_strided((4, 3), (2, 1))]:
        with pytest.raises(ValueError, match="share memory"):
            fill(view, "normal", KEY)
    assert not x.any()


def test_sizes_of_zero_and_one():
    for shape in [(0,), (3, 0), (0, 3), (1,), (1, 1), (), (1, 1, 1)]:
        for x in [np.zeros(shape, np.float32), np.zeros(shape, np.float32, order="F"), torch.zeros(shape)]:
            assert fill(x, "ones", KEY) is x
            assert (np.asarray(x) == 1).all()
    # Mistakes are found in arrays without elements, too.
    for init in ["xavier_normal", "eye", "normal(std=x)"]:
        with pytest.raises(ValueError):
            fill(np.zeros(0, np.float32), init, KEY)
    x = np.lib.stride_tricks.as_strided(np.zeros(4, np.float32), (4, 1), (4, 0))
    np.testing.assert_array_equal(fill(x, "normal", KEY), whole((4, 1)))
