"""Sizes around 2^31, 2^32 and 2^63: whatever is asked raises or works, and nothing wraps around."""

from __future__ import annotations

import copy
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend, nn, reference
from baregrad.cases.on_device import OnDevice
from baregrad.utils.data import DataLoader, TensorDataset
from extents import EMPTY, LARGE, WINDOWS, Arguments

STATM = Path("/proc/self/statm")
pytestmark = pytest.mark.skipif(not STATM.exists(), reason="needs /proc to bound its memory")

# Where 32 bits end, where the integers of a double do, and the most that NumPy describes.
SIZES = [2**31 - 1, 2**31, 2**32, 2**32 + 1, 2**53, 2**60]
# Strides and the like are numbers of any size.
NEGATIVE = [-1, -(2**31), -(2**63), -(2**64)]
NUMBERS = [*SIZES, 2**62, 2**63 - 1, 2**63, 2**64 + 1, 2**100, *NEGATIVE]


@pytest.fixture(autouse=True)
def little_room() -> Iterator[None]:
    """A GiB more of address space: what does not fit into it fails at once."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(STATM.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(params=["cpu", "sim"])
def compiled(request: pytest.FixtureRequest) -> object:
    """The compiled kernels of each backend."""
    if why := backend.why_absent(request.param):
        pytest.skip(f"{request.param} is not here: {why}")
    return bg.kernels.cpu if request.param == "cpu" else OnDevice(backend.device("sim"))


def is_sentence(error: BaseException) -> bool:
    return len(str(error).split()) >= 3


def refuses(table: Any, kernel: str, make: Callable[[int], Arguments], n: int) -> bool:
    """Whether the kernel raises, and a sentence; what it returns is what the definition says."""
    try:
        arguments = make(n)
    except ValueError:
        return True  # NumPy does not describe such an array
    try:
        got = getattr(table, kernel)(**arguments)
    except (ValueError, MemoryError) as error:
        return is_sentence(error)
    want = getattr(bg.kernels.reference, kernel)(**arguments)
    assert isinstance(got, tuple) == isinstance(want, tuple)
    for one_got, one_want in zip([*got], [*want], strict=True):
        np.testing.assert_allclose(one_got, one_want, rtol=1e-6)
    return False


def test_every_kernel_is_asked() -> None:
    assert sorted(LARGE) == sorted(reference.__all__)


@pytest.mark.parametrize("kernel", LARGE)
def test_a_kernel_refuses_what_is_too_large(compiled: Any, kernel: str) -> None:
    for at, make in enumerate(LARGE[kernel]):
        for n in SIZES:
            assert refuses(compiled, kernel, make, n), (at, n)


@pytest.mark.parametrize("kernel", WINDOWS)
def test_a_window_of_any_numbers_is_refused_or_slides(compiled: Any, kernel: str) -> None:
    for at, make in enumerate(WINDOWS[kernel]):
        for n in NUMBERS:
            refused = refuses(compiled, kernel, make, n)
            assert refused or n > 0, (at, n)


@pytest.mark.parametrize("n", [2**31 + 1, 2**40 + 1])
def test_a_window_may_reach_far_beyond_its_image(compiled: Any, n: int) -> None:
    x = np.ones((1, 1, 3, 3), np.float32)
    got = compiled.avgpool2d_forward(x, kernel=(n, 1), stride=(1, 1), padding=(n // 2, 0))
    np.testing.assert_array_equal(got, np.full((1, 1, 3, 3), 3 / n, np.float32))


@pytest.mark.parametrize("n", [2**31 + 1, 2**40 + 1])
def test_cells_may_lie_far_outside_the_image(compiled: Any, n: int) -> None:
    x, w = np.ones((1, 1, 3, 3), np.float32), np.ones((1, 1, 2, 3), np.float32)
    try:
        got = compiled.conv2d_forward(x, w, dilation=(n - 1, 1), padding=(n // 2, 0))
    except MemoryError:
        return  # the CPU writes padding out
    np.testing.assert_array_equal(got, np.zeros((1, 1, 3, 1), np.float32))


@pytest.mark.parametrize("n", [2**31, 2**32 + 1, 2**40])
@pytest.mark.parametrize(("kernel", "make", "shape"), EMPTY, ids=[case[0] for case in EMPTY])
def test_much_of_nothing_is_nothing(
    compiled: Any,
    kernel: str,
    make: Callable[[int], Arguments],
    shape: Callable[[int], tuple[int, ...]],
    n: int,
) -> None:
    got = getattr(compiled, kernel)(**make(n))
    assert got.shape == shape(n)


# What makes tensors, and a size of theirs.
MADE: dict[str, Callable[[int], Any]] = {
    "zeros": lambda n: bg.zeros(n),
    "ones": lambda n: bg.ones(n, n),
    "full": lambda n: bg.full((n, 2), 1.0),
    "zeros of nothing": lambda n: bg.zeros(0, n, n),
    "rand": lambda n: bg.rand(n),
    "randn": lambda n: bg.randn(n, 2),
    "randint": lambda n: bg.randint(0, 5, (n,)),
    "randperm": lambda n: bg.randperm(n),
    "arange": lambda n: bg.arange(n),
    "arange of floats": lambda n: bg.arange(0.0, float(n)),
    "linspace": lambda n: bg.linspace(0, 1, n),
    "eye": lambda n: bg.eye(n),
    "expand": lambda n: bg.ones(1).expand(n) + 1,
    "reshape": lambda n: bg.ones(2, 3).reshape(n, -1),
    "reshape of nothing": lambda n: bg.zeros(0).reshape(0, n, n),
    "cat": lambda n: bg.cat([bg.ones(1).expand(n)] * 2),
    "stack": lambda n: bg.stack([bg.ones(1).expand(n)] * 2),
    "matmul": lambda n: bg.ones(1, 1).expand(n, 1) @ bg.ones(1, 1).expand(1, n),
    "relu": lambda n: bg.ones(1).expand(n).relu(),
    "dropout": lambda n: nn.functional.dropout(bg.ones(1).expand(n)),
    "Linear": lambda n: nn.Linear(n, n),
    "Linear of one output": lambda n: nn.Linear(n, 1),
    "Conv2d": lambda n: nn.Conv2d(n, n, 3),
    "Conv2d kernel": lambda n: nn.Conv2d(1, 1, n),
    "Conv2d padding": lambda n: nn.Conv2d(1, 1, 3, padding=n)(bg.ones(1, 1, 3, 3)),
    "Conv2d dilation": lambda n: nn.Conv2d(1, 1, 3, dilation=n)(bg.ones(1, 1, 3, 3)),
    "Conv2d both": lambda n: nn.Conv2d(1, 1, 3, dilation=n, padding=n)(bg.ones(1, 1, 3, 3)),
    "Conv2d groups": lambda n: nn.Conv2d(1, 1, 3, groups=n),
    "max_pool2d": lambda n: nn.functional.max_pool2d(bg.ones(1, 1, 3, 3), n),
    "max_pool2d padding": lambda n: nn.functional.max_pool2d(bg.ones(1, 1, 3, 3), 2, padding=n),
    "avg_pool2d": lambda n: nn.functional.avg_pool2d(bg.ones(1, 1, 3, 3), n),
    "Embedding": lambda n: nn.Embedding(n, 2),
    "Embedding of many features": lambda n: nn.Embedding(2, n),
    "BatchNorm2d": lambda n: nn.BatchNorm2d(n),
    "LayerNorm": lambda n: nn.LayerNorm(n),
    "threads": lambda n: bg.set_num_threads(n),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_a_tensor_larger_than_memory_is_refused(make: Callable[[int], Any]) -> None:
    for n in [2**31, 2**32 + 1, 2**53, 2**62, 2**63 - 1, 2**63, 2**64]:
        with pytest.raises((ValueError, MemoryError)) as raised:
            make(n)
        assert is_sentence(raised.value)


def test_a_view_on_a_device_counts_its_bytes_in_64_bits() -> None:
    if why := backend.why_absent("sim"):
        pytest.skip(f"sim is not here: {why}")
    one = backend.device("sim").from_numpy(np.ones((1, 1), np.float32))
    assert one.broadcast_to((2**30, 2**30)).shape == (2**30, 2**30)
    with pytest.raises(MemoryError):
        one.broadcast_to((2**40, 2**40))
    with pytest.raises(MemoryError):
        one[:0].reshape((0, 2**40, 2**40))


def test_steps_beyond_the_end_are_one_step() -> None:
    x, n = bg.ones(1, 1, 3, 3), 2**62
    assert nn.functional.max_pool2d(x, 2, stride=n).shape == (1, 1, 1, 1)
    assert nn.Conv2d(1, 1, 2, stride=n)(x).shape == (1, 1, 1, 1)
    assert x.split(n)[0].shape == x.shape
    assert x[:, :, :n, ::n].shape == (1, 1, 3, 1)
    assert len(list(DataLoader(TensorDataset(bg.ones(3)), batch_size=n))) == 1


def test_a_device_takes_more_rows_than_a_grid_has() -> None:
    if why := backend.why_absent("sim"):
        pytest.skip(f"sim is not here: {why}")
    n, table = 4096 * 4 + 5, OnDevice(backend.device("sim"))  # 4096 blocks of 4 rows
    x = np.arange(2.0 * n, dtype=np.float32).reshape(n, 2) % 7
    rows = np.arange(n)[::-1] % n
    pairs = {
        "softmax_forward": {"x": x},
        "softmax_backward": {"saved": x, "dout": x},
        "softmax_xent_forward": {"logits": x, "labels": rows % 2},
        "gather_rows": {"table": x, "rows": rows.copy()},
        "scatter_add_rows": {"dout": x[:2], "rows": rows[:2].copy(), "out": x.copy()},
        "layer_norm_backward": {"x": x, "dout": x, "weight": x[0], "mean": x[:, 0], "r": x[:, 1]},
        "layer_norm_forward": {"x": x, "weight": x[0], "bias": x[1]},
    }
    for kernel, arguments in pairs.items():
        got, want = (
            getattr(t, kernel)(**copy.deepcopy(arguments)) for t in (table, bg.kernels.reference)
        )
        for one_got, one_want in zip([*got], [*want], strict=True):
            np.testing.assert_allclose(one_got, one_want, rtol=1e-5, atol=1e-6)
