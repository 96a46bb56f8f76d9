"""`bg.save` and `bg.load`: safetensors files, written whole or not at all. No pickle anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import nn, tensorfile
from .blank import to_be_loaded
from .hints import an
from .nn import Module
from .nn.state import load as load_state
from .ops.arguments import instance
from .tensor import Tensor, as_tensor, from_numpy
from .typing import ArrayLike, NDArray

_KEY, _OWN_KEYS = "baregrad", ("baregrad", "format")
# What a layer may say to arguments that are not its own
FAULTS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


def save(
    obj: Module | Mapping[str, Tensor | ArrayLike],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a model, or tensors of any shape by name, as a state_dict, to the safetensors file `path`.

    A model made of this package's layers alone is saved with how it was made, so that `bg.load`
    gives it back; of any other model the tensors. `metadata` is text by name for the header. The
    file is replaced at once when all is on the disk: if it cannot be written, an OSError, what was
    there stays. TypeError for other values, ValueError for a path that means pickle.
    """
    path = Path(instance("save", "path", path, tensorfile.PATHS, "a path"))
    if path.suffix in tensorfile.PICKLES:
        raise ValueError(f"[save] path is {str(path)!r}, expected one that ends in .safetensors")
    header: dict[str, str] = dict(instance("save", "metadata", metadata or {}, Mapping, "a dict"))
    for name, text in header.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise TypeError(f"[save] metadata has {name!r}: {text!r}, expected text by name")
        if name in _OWN_KEYS:
            raise ValueError(f"[save] metadata has {name!r}, a name of the format, expected others")
    if isinstance(obj, Module):
        made = _constructor(obj)
        header |= {_KEY: json.dumps(made)} if made else {}
        obj = obj.state_dict()
    if not isinstance(obj, Mapping):
        raise TypeError(f"[save] obj is {an(obj)}, expected a Module or a mapping name -> tensor")
    tensorfile.write(
        "save", path, {name: _array(name, value) for name, value in obj.items()}, header
    )


def load(path: str | os.PathLike[str]) -> Module | dict[str, Tensor]:
    """What `bg.save` wrote: the model, in eval mode, if its making was saved, else its tensors.

    Any safetensors file of float32, float64, int64, int32, uint8 and bool tensors will do.
    ValueError for a file that is broken or of another kind, OSError for one that is not there.
    Nothing is run that the file names but layers of nn, and it takes its size in memory, and 64 MB.
    """
    arrays, metadata = tensorfile.read("load", path)
    if _KEY not in metadata:
        return {name: from_numpy(array) for name, array in arrays.items()}
    try:
        model = _rebuilt(json.loads(metadata[_KEY]), arrays)
        own = {name: tensor for name, tensor, persistent in model._all_names() if persistent}
        load_state(own, arrays, strict=True, copy=None)
    except FAULTS as error:
        raise ValueError(f"[load] {path} does not hold the model it names: {error}") from error
    return model.eval()


# How a model was made


def _constructor(model: Module) -> Any:
    """What makes a model like this one, as JSON has it, or None if that cannot be said."""
    try:
        made = _plain(model)
        again = _rebuilt(made, model.state_dict())
    except FAULTS:
        return None
    return made if _outline(again) == _outline(model) else None


def _outline(model: Module) -> Any:
    """What two models that compute the same function of their tensors have in common."""
    tensors = {name: (a.shape, str(a.dtype)) for name, a in model.state_dict().items()}
    names = [name for name, _ in model.named_parameters()]  # a shared one comes once
    attributes = [sorted({*vars(module)} - {"training"}) for module in model.modules()]
    return repr(model), tensors, names, attributes


def _plain(value: Any) -> Any:
    """A Module or an argument of one as JSON has it. TypeError for what JSON has not."""
    if isinstance(value, Module):
        if _layers().get(type(value).__name__) is not type(value):
            raise TypeError(f"{type(value).__name__} is not a layer of nn")
        args, kwargs = vars(value)["_arguments"]
        if isinstance(value, nn.Sequential):
            args = tuple(value)
        named = {name: _plain(argument) for name, argument in kwargs.items()}
        return {"layer": type(value).__name__, "args": [_plain(a) for a in args], "kwargs": named}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{an(value)} is nothing for JSON")


def _rebuilt(made: Any, arrays: Mapping[str, NDArray]) -> Module:
    """The model that `made` names, for values `arrays`, of their float type; it has none yet."""
    double = any(array.dtype == np.float64 for array in arrays.values())
    count = sum(array.size for array in arrays.values())
    with to_be_loaded(count, np.float64 if double else np.float32):
        model = _made(made)
    if not isinstance(model, Module):
        raise TypeError(f"{an(model)}, expected a layer of nn")
    return model


def _made(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_made(item) for item in value)
    if not isinstance(value, dict):
        return value
    if value["layer"] not in _layers():
        raise ValueError(f"{value['layer']!r} is not a layer of nn")
    named = {name: _made(argument) for name, argument in value["kwargs"].items()}
    layer: Module = _layers()[value["layer"]](*_made(value["args"]), **named)
    return layer


def _layers() -> dict[str, Any]:
    """The layers by name: the only classes that a file can name."""
    public = {name: getattr(nn, name) for name in nn.__all__}
    return {
        name: kind
        for name, kind in public.items()
        if isinstance(kind, type) and issubclass(kind, Module) and kind is not Module
    }


def _array(name: Any, value: Any) -> NDArray:
    if not isinstance(name, str):
        raise TypeError(f"[save] obj has the name {name!r}, expected text")
    try:
        array = as_tensor(value).detach().cpu().numpy()
    except TypeError as error:
        raise TypeError(f"[save] {name}: {error}") from error
    return np.require(array, requirements="C")  # safetensors takes the memory as it lies
