"""Values by name: how they come into the tensors of a Module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..ops.arguments import instance
from ..tensor import Tensor, plain_array
from ..typing import NDArray


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` left alone."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def load(
    own: dict[str, Tensor], state_dict: Mapping[str, Any], strict: bool, copy: bool | None = True
) -> IncompatibleKeys:
    """Copy, or with copy None share, arrays into tensors `own`: all, or none and a RuntimeError."""
    op = "load_state_dict"
    instance(op, "state_dict", state_dict, Mapping, "a mapping from names to arrays")
    missing = [name for name in own if name not in state_dict]
    unexpected = [name for name in state_dict if name not in own]
    faults = [f"missing {', '.join(missing)}"] if strict and missing else []
    faults += [f"unexpected {', '.join(unexpected)}"] if strict and unexpected else []
    arrays = {name: _array(state_dict[name]) for name in own if name in state_dict}
    faults += [
        f"{name} has shape {array.shape}, expected {own[name].shape}"
        for name, array in arrays.items()
        if array.shape != own[name].shape
    ]
    if faults:
        raise RuntimeError(f"[{op}] {'; '.join(faults)}")
    for name, array in arrays.items():
        tensor = own[name]
        fresh = Tensor(np.array(array, tensor.dtype, order="C", copy=copy)).to(tensor.device)
        tensor.array, tensor._version = fresh.array, fresh._version
    return IncompatibleKeys(missing, unexpected)


def _array(value: Any) -> NDArray:
    is_tensor = isinstance(value, Tensor)
    return value.detach().cpu().numpy() if is_tensor else plain_array(value, "load_state_dict")
