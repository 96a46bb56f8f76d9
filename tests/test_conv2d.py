"""conv2d: special values, panels of images, guard pages, odd arrays, and the three products against each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, reference
from baregrad.cases.window import gamma
from compare import assert_same_bits, assert_within
from guarded import guarded
from hypothesis import HealthCheck, given, settings, strategies as st


def exact_and_bound(name: str, terms: int, /, **arguments: Any) -> tuple[np.ndarray, np.ndarray]:
    """The definition in float64, and the error of a sum of so many terms in any order."""

    def with_arrays(change: Any) -> dict[str, Any]:
        return {
            key: change(value.astype(np.float64)) if isinstance(value, np.ndarray) else value
            for key, value in arguments.items()
        }

    definition = getattr(reference, name)
    exact = definition(**with_arrays(lambda array: array))
    return exact, gamma(terms + 1) * definition(**with_arrays(np.abs)) + 2.0**-149


def assert_right(
    table: Any, x: np.ndarray, w: np.ndarray, bias: Any = None, **options: Any
) -> None:
    """All three kernels within their bounds, for a random dout."""
    forward = {"x": x, "w": w, "bias": bias, **options}
    want, bound = exact_and_bound("conv2d_forward", int(w[:1].size), **forward)
    assert_within(table.conv2d_forward(**forward), want, bound)

    dout = np.random.default_rng(0).standard_normal(want.shape, np.float32)
    backward = {"dout": dout, "w": w, "shape": x.shape, **options}
    terms = int(w.size // max(w.shape[1], 1))
    want, bound = exact_and_bound("conv2d_backward_input", terms, **backward)
    assert_within(table.conv2d_backward_input(**backward), want, bound)

    backward = {"x": x, "dout": dout, "kernel": w.shape[2:], **options}
    want, bound = exact_and_bound("conv2d_backward_weight", dout[:, :1].size, **backward)
    assert_within(table.conv2d_backward_weight(**backward), want, bound)


def test_is_a_product_with_every_window(any_table: Any) -> None:
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    w = np.array([[[[1, 0], [0, -1]]]], np.float32)
    out = any_table.conv2d_forward(x, w, np.array([10], np.float32))
    np.testing.assert_array_equal(out, np.full((1, 1, 3, 3), 5, np.float32))  # 10 + x - (x + 5)


@pytest.mark.parametrize("shape", [(3, 1, 1100, 1100), (5, 37, 130, 131), (2, 2, 1500, 1030)])
def test_images_too_large_to_pad_at_once_are_right(
    isa: str, shape: tuple[int, int, int, int], rng: np.random.Generator
) -> None:
    x = rng.standard_normal(shape, np.float32)
    w = rng.standard_normal((2, shape[1], 2, 1), np.float32)
    assert_right(bg.kernels.cpu, x, w, stride=(2, 3), padding=(1, 0))


def test_more_filters_and_channels_than_a_panel_holds_are_right(
    isa: str, rng: np.random.Generator
) -> None:
    # 4,033 rows of a, 4,097 columns of b: one more than each panel of packed operands.
    for channels, filters in [(4097, 2), (2, 4097)]:
        x = rng.standard_normal((1, channels, 2, 2), np.float32)
        assert_right(bg.kernels.cpu, x, rng.standard_normal((filters, channels, 1, 1), np.float32))
    x = rng.standard_normal((1, 1, 66, 65), np.float32)
    assert_right(bg.kernels.cpu, x, rng.standard_normal((131, 1, 1, 1), np.float32))


def test_padding_is_multiplied_forward_and_takes_no_part_backward(any_table: Any) -> None:
    x, dout = np.ones((1, 1, 2, 2), np.float32), np.ones((1, 1, 2, 2), np.float32)
    w = np.zeros((1, 1, 3, 3), np.float32)
    w[0, 0, 0, 0] = np.inf  # meets pixel (0, 0) from output (1, 1); elsewhere padding
    out = any_table.conv2d_forward(x, w, padding=(1, 1))
    np.testing.assert_array_equal(out[0, 0], [[np.nan, np.nan], [np.nan, np.inf]])
    dx = any_table.conv2d_backward_input(dout, w, x.shape, padding=(1, 1))
    np.testing.assert_array_equal(dx[0, 0], [[np.inf, 0], [0, 0]])


def test_lets_nan_and_infinity_flow(any_table: Any) -> None:
    x = np.zeros((1, 1, 3, 3), np.float32)
    x[0, 0, 0, 0], x[0, 0, 2, 2] = np.nan, np.inf
    out = any_table.conv2d_forward(x, np.ones((1, 1, 2, 2), np.float32))
    np.testing.assert_array_equal(out[0, 0], [[np.nan, 0], [0, np.inf]])
    dout = np.array([[[[np.inf, 0], [0, 1]]]], np.float32)
    dx = any_table.conv2d_backward_input(dout, np.ones((1, 1, 2, 2), np.float32), x.shape)
    np.testing.assert_array_equal(dx[0, 0], [[np.inf, np.inf, 0], [np.inf, np.inf, 1], [0, 1, 1]])
    dw = any_table.conv2d_backward_weight(np.ones((1, 1, 3, 3), np.float32), dout, (2, 2))
    np.testing.assert_array_equal(dw, np.full((1, 1, 2, 2), np.inf))


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_reaches_the_pixels_that_it_met(
    any_table: Any, stride: tuple[int, int], value: float, rng: np.random.Generator
) -> None:
    w = rng.standard_normal((4, 2, 3, 2), np.float32)
    w[3, 0, 1, 1] = value
    options = {"stride": stride, "padding": (1, 1), "groups": 2}
    x = np.zeros((2, 4, 7, 8), np.float32)
    dout = rng.random(reference.conv2d_forward(x, w, **options).shape, np.float32) + 1
    got = any_table.conv2d_backward_input(dout, w, x.shape, **options)
    want = reference.conv2d_backward_input(dout, w, x.shape, **options)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    assert np.isfinite(got).any()


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 3)])
def test_touches_nothing_beyond_its_arrays(
    isa: str, n: int, stride: tuple[int, int], rng: np.random.Generator
) -> None:
    for width in (3, 15, 16, 17, 33):
        x = guarded(rng.standard_normal((n, 3, 5, width), np.float32))
        w = guarded(rng.standard_normal((7, 3, 3, 3), np.float32))
        bias = guarded(rng.standard_normal(7, np.float32))
        options = {"stride": stride, "padding": (1, 0)}
        want = _cpu.conv2d_forward(x.copy(), w.copy(), bias.copy(), **options)
        out = guarded(np.full(want.shape, np.nan, np.float32))
        assert _cpu.conv2d_forward(x, w, bias, out=out, **options) is out
        assert_same_bits(out, want)
        dout = guarded(rng.standard_normal(want.shape, np.float32))
        assert_same_bits(
            _cpu.conv2d_backward_input(dout, w, x.shape, **options),
            _cpu.conv2d_backward_input(dout.copy(), w.copy(), x.shape, **options),
        )
        assert_same_bits(
            _cpu.conv2d_backward_weight(x, dout, (3, 3), **options),
            _cpu.conv2d_backward_weight(x.copy(), dout.copy(), (3, 3), **options),
        )


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (13, 11), (6, 57), (70, 2)])
@pytest.mark.parametrize(
    ("kernel", "dilation"), [((3, 3), (1, 1)), ((5, 1), (1, 1)), ((3, 5), (2, 3))]
)
def test_images_that_keep_their_size_are_not_read_beyond_their_edges(
    isa: str,
    first: bool,
    size: tuple[int, int],
    kernel: tuple[int, int],
    dilation: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    padding = tuple((k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True))
    options: dict[str, Any] = {"padding": padding, "dilation": dilation}
    x = guarded(rng.standard_normal((1, 14, *size), np.float32), first=first)
    w = guarded(rng.standard_normal((15, 14, *kernel), np.float32), first=first)
    dout = guarded(rng.standard_normal((1, 15, *size), np.float32), first=first)
    out = guarded(np.full(dout.shape, np.nan, np.float32), first=first)
    _cpu.conv2d_forward(x, w, None, out=out, **options)
    assert_same_bits(out, _cpu.conv2d_forward(x.copy(), w.copy(), None, **options))
    assert_same_bits(
        _cpu.conv2d_backward_input(dout, w, x.shape, **options),
        _cpu.conv2d_backward_input(dout.copy(), w.copy(), x.shape, **options),
    )


def odd(array: np.ndarray) -> Iterator[np.ndarray]:
    """The same numbers in arrays of other strides."""
    yield np.asfortranarray(array)
    yield np.repeat(array, 2, axis=-1)[..., ::2]
    yield array[::-1].copy()[::-1]
    shifted = np.empty(array.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(array.shape)
    shifted[...] = array
    yield shifted
    read_only = array.copy()
    read_only.flags.writeable = False
    yield read_only


def test_arrays_of_any_strides_give_the_same_bits(isa: str, rng: np.random.Generator) -> None:
    x, w = rng.standard_normal((2, 3, 6, 7), np.float32), rng.standard_normal((4, 3, 3, 3), np.float32)  # fmt: skip
    bias, kernels = rng.standard_normal(4, np.float32), bg.kernels.cpu
    out = kernels.conv2d_forward(x, w, bias)
    dx = kernels.conv2d_backward_input(out, w, x.shape)
    dw = kernels.conv2d_backward_weight(x, out, (3, 3))
    for a, b, c, d in zip(odd(x), odd(w), odd(bias), odd(out), strict=True):
        assert_same_bits(kernels.conv2d_forward(a, b, c), out)
        assert_same_bits(kernels.conv2d_backward_input(d, b, x.shape), dx)
        assert_same_bits(kernels.conv2d_backward_weight(a, d, (3, 3)), dw)


def test_writes_where_out_says_and_not_over_what_it_reads(
    isa: str, rng: np.random.Generator
) -> None:
    x, w = rng.standard_normal((2, 3, 5, 5), np.float32), rng.standard_normal((3, 3, 1, 1), np.float32)  # fmt: skip
    wide = np.full((2, 3, 5, 10), np.nan, np.float32)
    out = wide[..., ::2]
    assert bg.kernels.cpu.conv2d_forward(x, w, out=out) is out
    assert_same_bits(np.ascontiguousarray(out), bg.kernels.cpu.conv2d_forward(x, w))
    assert np.isnan(wide[..., 1::2]).all()
    for name in ("reference", "cpu"):
        with pytest.raises(ValueError, match=r"\[conv2d_forward\] out shares memory with x"):
            getattr(bg.kernels, name).conv2d_forward(x, w, out=x)


def test_an_image_gives_the_same_bits_whatever_else_is_in_its_batch(
    isa: str, rng: np.random.Generator
) -> None:
    x, w = rng.standard_normal((90, 3, 7, 7), np.float32), rng.standard_normal((5, 3, 3, 3), np.float32)  # fmt: skip
    out = bg.kernels.cpu.conv2d_forward(x, w, padding=(1, 1))
    dx = bg.kernels.cpu.conv2d_backward_input(out, w, x.shape, padding=(1, 1))
    for image in (0, 41, 89):
        one = slice(image, image + 1)
        assert_same_bits(bg.kernels.cpu.conv2d_forward(x[one], w, padding=(1, 1)), out[one])
        alone = bg.kernels.cpu.conv2d_backward_input(out[one], w, x[one].shape, padding=(1, 1))
        assert_same_bits(alone, dx[one])


@settings(
    derandomize=True, deadline=None, max_examples=300, suppress_health_check=list(HealthCheck)
)
@given(data=st.data())
def test_holds_for_random_windows(isa: str, data: st.DataObject) -> None:
    def pair(label: str, low: int, high: int) -> tuple[int, int]:
        return data.draw(st.tuples(st.integers(low, high), st.integers(low, high)), label=label)

    groups = data.draw(st.sampled_from([1, 1, 2, 3]), label="groups")
    c, o = (groups * data.draw(st.integers(0, 5), label=label) for label in ("c", "o"))
    kernel, stride = pair("kernel", 1, 4), pair("stride", 1, 5)
    padding, dilation = pair("padding", 0, 4), pair("dilation", 1, 4)
    extra = pair("extra", 0, 12)
    h, w = (
        max(d * (k - 1) + 1 - 2 * p, 0) + e
        for k, d, p, e in zip(kernel, dilation, padding, extra, strict=True)
    )
    n = data.draw(st.integers(0, 3), label="n")
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="seed"))
    x = rng.standard_normal((n, c, h, w), np.float32)
    weight = rng.standard_normal((o, c // groups, *kernel), np.float32)
    bias = rng.standard_normal(o, np.float32)
    assert_right(
        bg.kernels.cpu, x, weight, bias,
        stride=stride, padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip


@pytest.mark.parametrize("length", [2**35, 2**40, 2**62])
def test_sizes_beyond_memory_are_memory_errors(length: int) -> None:
    x, w = np.zeros((1, 1, 1, 1), np.float32), np.zeros((1, 1, 1, 1), np.float32)
    with pytest.raises(MemoryError):
        _cpu.conv2d_forward(x, w, padding=(length, length))
    with pytest.raises(MemoryError):
        _cpu.conv2d_forward(x, w, padding=(length, 0), stride=(length, 1))
    with pytest.raises(MemoryError):
        _cpu.conv2d_backward_input(x, w, (length, 1, length, length))
    with pytest.raises(MemoryError):
        _cpu.conv2d_backward_weight(x, x, (length, length), padding=(length, length))
    with pytest.raises(MemoryError):
        _cpu.conv2d_forward(x, w, padding=(2**70, 0))


@pytest.mark.parametrize("length", [1, 4, 65, 1000])
def test_a_stride_of_any_length_but_two_is_refused_by_its_name(length: int) -> None:
    x, w = np.ones((1, 1, 5, 5), np.float32), np.ones((1, 1, 3, 3), np.float32)
    said = ", ".join(["7"] * min(length, 64)) + ("," if length == 1 else "")
    with pytest.raises(ValueError, match="expected 2 integers") as refusal:
        _cpu.conv2d_forward(x, w, stride=(7,) * length)
    sentence = f"[conv2d_forward] stride is ({said}), expected 2 integers of at least 1"
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("stride", [6, 10**9, 2**40, 2**62, 2**63 - 1])
def test_a_stride_beyond_the_image_makes_one_window(any_table: Any, stride: int) -> None:
    x, w = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5), np.ones((1, 1, 3, 3), np.float32)
    both = {"stride": (stride, stride)}
    out = any_table.conv2d_forward(x, w, **both)
    assert out.tolist() == [[[[x[0, 0, :3, :3].sum()]]]]
    dx = any_table.conv2d_backward_input(out, w, x.shape, **both)
    assert dx.sum() == 9 * out.item()
    dw = any_table.conv2d_backward_weight(x, out, (3, 3), **both)
    np.testing.assert_array_equal(dw[0, 0], x[0, 0, :3, :3] * out.item())
    np.testing.assert_array_equal(
        any_table.im2col(x, (3, 3), **both)[0, :, 0], x[0, 0, :3, :3].ravel()
    )
    assert any_table.avgpool2d_forward(x, (3, 3), **both).item() == out.item() / 9
