"""Arrays of a device that travel to other libraries and back without a copy: DLPack, CUDA arrays."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import baregrad as bg
import numpy as np
import pytest
from baregrad import backend
from conftest import DEVICES

pytestmark = pytest.mark.skipif(not DEVICES, reason="no device is here")
ON_EACH = pytest.mark.parametrize("there", DEVICES)
TYPES = (bg.float32, bg.float64, bg.int64, bg.uint8, bg.bool)
VIEWS = {
    "all": lambda x: x,
    "some": lambda x: x[1:, ::2],
    "turned": lambda x: x.mT,
    "repeated": lambda x: x[:1].broadcast_to((3, 4)),
    "none": lambda x: x[:0],
    "one": lambda x: x[2, 3],
}


class Old:
    """As libraries before DLPack 1.0 and before tensors: their methods, and no others."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self.streams: list[Any] = []

    def __dlpack__(self, *, stream: int) -> Any:
        self.streams.append(stream)
        return self.array.__dlpack__(stream=stream)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


class Foreign:
    """What only has an interface."""

    def __init__(self, array: Any, **changes: Any) -> None:
        self.array = array
        self.__cuda_array_interface__ = array.__cuda_array_interface__ | changes


def made(there: str, dtype: Any = bg.float32) -> Any:
    """(3, 4), in the memory of the device."""
    numbers = np.arange(12).reshape(3, 4).astype(dtype)
    return backend.device(there).from_numpy(numbers)


@ON_EACH
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_what_comes_back_is_the_same_memory(there: str, view: str, dtype: Any) -> None:
    x, array = made(there, dtype), backend.device(there).array
    mine = VIEWS[view](x)
    for back in (
        array.from_dlpack(mine),
        array.from_dlpack(Old(mine)),
        array.from_interface(Foreign(mine)),
    ):
        assert (back.shape, back.dtype) == (mine.shape, mine.dtype)
        np.testing.assert_array_equal(back.numpy(), mine.numpy())
    back = array.from_dlpack(mine)
    x.write(np.ones((3, 4), dtype))
    np.testing.assert_array_equal(back.numpy(), np.ones(mine.shape))


@ON_EACH
def test_tensors_travel_too(there: str) -> None:
    x = bg.arange(6.0).to(there)
    for back in (bg.from_dlpack(x), bg.as_tensor(Foreign(x), device=there)):
        assert back.device == there
        assert back.tolist() == [0, 1, 2, 3, 4, 5]
        back += 1
        assert x[0].item() == 1
        back -= 1
    leaf = bg.ones(2, device=there, requires_grad=True)
    for take in (bg.from_dlpack, lambda t: t.__cuda_array_interface__):
        with pytest.raises(BufferError, match=r"the tensor requires grad, expected x.detach\(\)"):
            take(leaf)
    assert not hasattr(bg.ones(2), "__cuda_array_interface__")


@ON_EACH
def test_who_takes_an_array_keeps_its_memory(there: str) -> None:
    array = backend.device(there).array
    for take in (array.from_dlpack, lambda x: array.from_interface(Foreign(x))):
        x = made(there)
        back = take(x)
        del x
        gc.collect()
        for _ in range(20):
            made(there)  # which would be given the memory if it were free
        np.testing.assert_array_equal(back.numpy(), np.arange(12).reshape(3, 4))


@ON_EACH
def test_a_capsule_that_nobody_takes_is_released(there: str) -> None:
    for options in ({}, {"max_version": (1, 0)}):
        capsule = made(there).__dlpack__(**options)
        assert "dltensor" in repr(capsule)
        del capsule
    array = backend.device(there).array
    foreign = Foreign(made(there))
    gone = weakref.ref(foreign)
    back = array.from_interface(foreign)
    del foreign
    gc.collect()
    assert gone() is not None
    del back
    gc.collect()
    assert gone() is None


@ON_EACH
def test_streams_are_told(there: str) -> None:
    x, array = made(there), backend.device(there).array
    ours = x.__cuda_array_interface__["stream"]
    assert ours not in (None, 0, 1, 2)
    old = Old(x)
    array.from_dlpack(old)
    assert old.streams == [ours]
    for stream in (None, -1, 1, ours):
        x.__dlpack__(stream=stream)
    with pytest.raises(ValueError, match=r"^\[dlpack\] stream is 0, .*expected 1 for the default"):
        x.__dlpack__(stream=0)
    with pytest.raises(ValueError, match=r"^\[from_interface\] stream is 0"):
        array.from_interface(Foreign(x, stream=0))
    for stream in (None, 1, ours):
        array.from_interface(Foreign(x, stream=stream))


@ON_EACH
def test_a_copy_is_a_copy(there: str) -> None:
    x, array = made(there), backend.device(there).array

    class Copying(Old):
        def __dlpack__(self, *, stream: int) -> Any:
            return self.array.__dlpack__(stream=stream, copy=True)

    back = array.from_dlpack(Copying(x))
    x.write(np.zeros((3, 4), np.float32))
    np.testing.assert_array_equal(back.numpy(), np.arange(12).reshape(3, 4))


@ON_EACH
@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [
        ({"typestr": "<f2"}, TypeError, r"has typestr <f2, expected one of <f4, <f8"),
        ({"mask": 1}, TypeError, r"has a mask, expected none"),
        ({"data": (16, True)}, BufferError, r"is read-only, expected a copy"),
        ({"strides": (4,)}, TypeError, r"has shape \(3, 4\) and strides \(4,\), expected one for"),
    ],
)
def test_interfaces_that_do_not_fit(there: str, changes: Any, kind: Any, sentence: str) -> None:
    with pytest.raises(kind, match=rf"^\[from_interface\] source {sentence}"):
        backend.device(there).array.from_interface(Foreign(made(there), **changes))


class OfNumPy(Old):
    """Gives what is on the host."""

    def __dlpack__(self, *, stream: int) -> Any:
        return np.ones(3, np.float32).__dlpack__()


@ON_EACH
def test_dlpack_that_does_not_fit(there: str) -> None:
    x, array = made(there), backend.device(there).array
    with pytest.raises(TypeError, match=r"^\[from_dlpack\] source is on device \(1, 0\), expected"):
        array.from_dlpack(OfNumPy(x))
    with pytest.raises(BufferError, match=r"^\[dlpack\] dl_device is \(1, 0\), expected this one"):
        x.__dlpack__(dl_device=(1, 0))
    with pytest.raises(BufferError, match=r"^\[dlpack\] the array has strides \(-16, 4\), which"):
        x[::-1].__dlpack__()
    with pytest.raises(TypeError, match=r"^\[from_dlpack\] source is a list, expected what has"):
        bg.from_dlpack([1])
