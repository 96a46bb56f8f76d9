"""Random numbers that depend on their place alone: Philox4x32-10 (Salmon et al., 2011).

Element i is word i % 4 of the block with counter offset + i // 4 under the key seed. So any number
of threads, on any backend, draws the same numbers. state (2,) int64 holds seed and offset; what
draws n numbers uses ceil(n / 4) blocks, by which its caller moves the offset on.
"""

from __future__ import annotations

import numpy as np

from ..typing import NDArray
from .arguments import apart, array, floats, output, shaped

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEPS = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ROUNDS = 10


def philox_words(counter: NDArray, key: NDArray) -> NDArray:
    """counter (n, 4), key (2,), uint32 numbers as uint64 -> words (n, 4) uint32."""
    c0, c1, c2, c3 = counter.T
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0, p1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _KEY_STEPS[0]) & _LOW, (k1 + _KEY_STEPS[1]) & _LOW
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def philox_bits(state: NDArray, n: int) -> NDArray:
    """state (2,) int64 -> bits (n,) uint32."""
    seed, offset = state.astype(np.uint64)
    with np.errstate(over="ignore"):
        block = offset + np.arange((n + 3) // 4, dtype=np.uint64)
    zeros = np.zeros_like(block)
    counter = np.stack([block & _LOW, block >> _HALF, zeros, zeros], axis=1)
    key = np.array([seed & _LOW, seed >> _HALF])
    return philox_words(counter, key).reshape(-1)[:n]


def _state(op: str, state: object) -> NDArray:
    found = shaped(op, "state", array(op, "state", state), 2)
    if found.dtype != np.int64:
        raise TypeError(f"[{op}] state has dtype {found.dtype}, expected int64")
    return found


def philox_uniform(state: NDArray, *, out: NDArray) -> NDArray:
    """state (2,) int64 -> out (...), in place: uniform in [0, 1), the upper 24 bits / 2^24."""
    state = _state("philox_uniform", state)
    result = output("philox_uniform", "out", floats("philox_uniform", "out", out), out, out.shape)
    result[...] = ((philox_bits(state, out.size) >> 8) / 2.0**24).reshape(out.shape)
    return result


def philox_normal(state: NDArray, *, out: NDArray) -> NDArray:
    """state (2,) int64 -> out (...), in place: normal with mean 0 and variance 1 (Box and Muller).

    A block of four words (a, b, c, d) gives r cos t and r sin t of (a, b), then of (c, d):
    r = sqrt(-2 log u), u = ((a >> 8) + 1) / 2^24 in (0, 1], t = 2 pi (b >> 8) / 2^24.
    """
    state = _state("philox_normal", state)
    result = output("philox_normal", "out", floats("philox_normal", "out", out), out, out.shape)
    blocks = philox_bits(state, -(-out.size // 4) * 4).reshape(-1, 2, 2) >> 8
    r = np.sqrt(-2 * np.log((blocks[..., 0] + 1) / 2.0**24))
    t = 2 * np.pi * (blocks[..., 1] / 2.0**24)
    pairs = np.stack([r * np.cos(t), r * np.sin(t)], axis=-1)
    result[...] = pairs.reshape(-1)[: out.size].reshape(out.shape)
    return result


@np.errstate(all="ignore")  # NaN and infinity flow as IEEE 754 says
def philox_dropout(x: NDArray, state: NDArray, *, p: float, out: NDArray | None = None) -> NDArray:
    """x (...), state (2,) int64 -> out (...) = x / (1 - p) where its uniform number is >= p, else 0.

    Inverted dropout (lecture 000, slide 32; Srivastava et al., 2014). Its gradient is the same op
    on dout with the same state: no mask is stored. 0 <= p <= 1; with p 1 all is 0.
    """
    op = "philox_dropout"
    x, state = floats(op, "x", x), _state(op, state)
    if not 0 <= p <= 1:
        raise ValueError(f"[{op}] p is {p}, expected 0 <= p <= 1")
    result = output(op, "out", out, x, x.shape)
    apart(op, "out", result, may_be_same=True, x=x)
    keep = (philox_bits(state, x.size) >> 8) / 2.0**24 >= p
    scale = 1 / (1 - p) if p < 1 else 0.0
    result[...] = np.where(keep.reshape(x.shape), x.astype(np.float64) * scale, 0)
    return result
