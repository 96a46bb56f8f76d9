"""Cases of gemm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..typing import NDArray
from .case import Arguments, Case, double, floats, special, unit_roundoff

tolerance = (
    "|error| <= g (|alpha| |a| |b| + |beta| |out| + |bias|), elementwise, with\n"
    "g = (k + 3) u / (1 - (k + 3) u) and u = 2^-24: k products summed in any order, with or without\n"
    "fused multiply-add, then three more roundings (Higham, Accuracy and Stability, 3.5)"
)


def _arguments(rng: np.random.Generator, m: int, n: int, k: int) -> Arguments:
    return {
        "a": floats(rng, m, k),
        "b": floats(rng, k, n),
        "bias": floats(rng, n),
        "alpha": 0.75,
        "beta": -0.5,
        "out": floats(rng, m, n),
    }


def _run(table: Any, arguments: Arguments) -> tuple[Any, ...]:
    return (table.gemm(**arguments),)


def bound(arguments: Arguments) -> tuple[NDArray]:
    """The error that any order of summation may make."""
    a, b = (np.abs(double(arguments[name])) for name in ("a", "b"))
    gamma = (a.shape[-1] + 3) * unit_roundoff
    size = abs(arguments.get("alpha", 1.0)) * (a @ b)
    if arguments.get("beta", 0.0) != 0:
        size = size + abs(arguments.get("beta", 0.0)) * np.abs(double(arguments["out"]))
    if arguments.get("bias") is not None:
        size = size + np.abs(double(arguments["bias"]))
    return (gamma / (1 - gamma) * size,)


def case(m: int, n: int, k: int) -> Case:
    """a (m, k), b (k, n) -> out (m, n), with alpha, beta and bias."""
    return Case(
        "gemm",
        {"m": m, "n": n, "k": k},
        lambda rng: _arguments(rng, m, n, k),
        _run,
        bound,
        flops=2 * m * n * k,
        bytes=4 * (m * k + k * n + 2 * m * n + n),
    )


def _plain(case: Case) -> Case:
    """The product alone: alpha 1, no bias, and beta 0 over an out that holds NaN."""

    def arguments(rng: np.random.Generator) -> Arguments:
        given = case.arguments(rng)
        return {"a": given["a"], "b": given["b"], "out": np.full_like(given["out"], np.nan)}

    return replace(case, sizes={**case.sizes, "plain": 1}, arguments=arguments)


def _added(case: Case) -> Case:
    """A product that is added to a part of what is there, and nothing else."""

    def arguments(rng: np.random.Generator) -> Arguments:
        given = case.arguments(rng)
        return {name: given[name] for name in ("a", "b", "beta", "out")}

    return replace(case, sizes={**case.sizes, "added": 1}, arguments=arguments)


def _batched(case: Case, repeats: bool = False) -> Case:
    """Three such products; or of one b, which repeats by a stride of 0."""

    def arguments(rng: np.random.Generator) -> Arguments:
        three = [case.arguments(rng) for _ in range(3)]
        given = {
            **three[0],
            **{key: np.stack([g[key] for g in three]) for key in ("a", "b", "out")},
        }
        return (
            {**given, "b": np.broadcast_to(given["b"][0], given["b"].shape)} if repeats else given
        )

    sizes = {"batch": 3, **case.sizes, **({"repeats": 1} if repeats else {})}
    return replace(
        case, sizes=sizes, arguments=arguments, flops=3 * case.flops, bytes=3 * case.bytes
    )


PRECISIONS = {"tf32": 13, "bf16": 16}  # bits of a float32 that they lack


def rounded(x: NDArray, precision: str) -> NDArray:
    """x as a tensor core takes it: TF32 rounds ties away from 0, bfloat16 to even."""
    dropped = np.uint32(PRECISIONS[precision])
    bits = x.view(np.uint32)
    half = np.uint32(1) << (dropped - np.uint32(1))
    to_even = (bits >> dropped & np.uint32(1)) - np.uint32(1) if precision == "bf16" else 0
    kept = np.where(np.isfinite(x), bits + (half + to_even), bits) >> dropped << dropped
    kept[np.isnan(x)] = 0x7FC00000
    return kept.astype(np.uint32).view(np.float32)


def of_rounded(case: Case, precision: str) -> Case:
    """The same of factors that are numbers of a lower precision already: its product is exact."""

    def arguments(rng: np.random.Generator) -> Arguments:
        given = case.arguments(rng)
        return {**given, **{name: rounded(given[name], precision) for name in ("a", "b")}}

    return replace(case, what=f"of {precision} numbers", arguments=arguments)


def _lying(case: Case, way: str, place: Callable[[NDArray], NDArray]) -> Case:
    """The same, every matrix in the array of its shape that `place` makes for it."""

    def arguments(rng: np.random.Generator) -> Arguments:
        given = case.arguments(rng)
        for name in ("a", "b", "out"):
            lies = place(given[name])
            lies[...] = given[name]
            given[name] = lies
        return given

    return replace(case, sizes={**case.sizes, way: 1}, arguments=arguments)


def _apart(case: Case) -> Case:
    """The same in rows that lie 4 KiB apart, of which a cache keeps few."""
    return _lying(case, "apart", lambda x: np.zeros((len(x), 1024), np.float32)[:, : x.shape[1]])


def _within(case: Case) -> Case:
    """The same, every matrix part of a larger array: rows, and those of a batch, lie apart."""

    def place(x: NDArray) -> NDArray:
        *batch, rows, columns = x.shape
        return np.full((*batch, rows + 2, columns + 3), 9, np.float32)[..., 1:-1, 2:-1]

    return _lying(case, "within", place)


def _backwards(case: Case) -> Case:
    """The same, every matrix from the end of its memory to the beginning."""
    return _lying(case, "backwards", lambda x: np.empty_like(x)[..., ::-1, ::-1])


def _special(arguments: Arguments) -> None:
    a, b, out, bias = (arguments[name] for name in ("a", "b", "out", "bias"))
    a[-1, 1], a[0, -1], b[2, -1] = np.nan, np.inf, -np.inf  # in the ragged tiles
    out[len(a) // 2, 0], bias[1] = np.nan, np.inf


# Around every tile: 4 to 14 rows, 8 to 32 columns, blocks of 16, 256 and 512 along k.
_EDGES = (0, 1, 2, 5, 6, 7, 9, 12, 13, 14, 15, 25, 31, 32, 33, 65)
tests = [
    *(case(size, 33, 17) for size in _EDGES),
    *(case(15, size, 17) for size in _EDGES),
    *(case(15, 33, size) for size in (*_EDGES, 255, 257, 511, 512, 513, 1030)),
    case(131, 127, 61),
    case(49, 401, 17),  # several tasks of rows and of columns
    case(1, 4_200_001, 1),  # more tiles in a row than a CUDA grid has in its second dimension
    case(29, 37, 1024),
    # So many outputs that a device has larger tiles: in both directions, in each of them.
    *(case(*size) for size in ((1500, 1499, 19), (60, 36_500, 11), (36_500, 60, 11))),
    case(5, 1100, 130),  # few rows, by runs of columns
    case(1030, 3, 130),  # few columns
    *map(_plain, (case(15, 33, 17), case(3, 70, 33), case(70, 3, 33), case(29, 37, 530))),
    _plain(case(200, 160, 400)),  # whole vectors, more than stays near, a narrow task at the end
    _plain(case(60, 64, 1030)),
    _added(case(30, 64, 530)),
    _apart(case(30, 33, 37)),
    *(_batched(case(*size)) for size in ((15, 33, 17), (3, 70, 33), (70, 3, 33))),
    _batched(case(15, 33, 17), repeats=True),
    *(_within(case(*size)) for size in ((15, 33, 17), (3, 70, 33), (70, 3, 33), (29, 64, 530))),
    _within(_batched(case(15, 33, 17))),
    *(_backwards(case(*size)) for size in ((15, 33, 17), (3, 70, 33), (70, 3, 33))),
    *(special(case(*size), _special) for size in ((15, 33, 17), (3, 70, 33), (70, 3, 33))),
]


def _transposed(case: Case) -> Case:
    """The same, all the transposes of row-major arrays, out of every other column of one."""

    def arguments(rng: np.random.Generator) -> Arguments:
        given = case.arguments(rng)
        a, b, out = (given[name] for name in ("a", "b", "out"))
        out = np.repeat(out.T, 2, 1)[:, ::2].T
        return {**given, "a": a.T.copy().T, "b": b.T.copy().T, "out": out}

    return replace(case, sizes={**case.sizes, "transposed": 1}, arguments=arguments)


# For a kernel that nobody has looked at: 250 shapes more, as they are, alone, and lying otherwise.
_any = [case(*shape) for shape in np.random.default_rng(0).integers(1, 70, (250, 3)).tolist()]
_ways = (_plain, _transposed, _within, _backwards)
more_tests = [*_any[::5], *(way(one) for i, way in enumerate(_ways, 1) for one in _any[i::5])]
benchmarks = [
    case(m, n, k)
    for m, n, k in ((64, 64, 64), (256, 256, 256), (1024, 1024, 1024), (128, 256, 784))
]
