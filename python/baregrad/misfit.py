"""What is wrong with the arguments of a compiled kernel: pybind11 only lists what would be right."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any, SupportsFloat, SupportsIndex

from .hints import an

# What a kind of argument, as pybind11 spells it, may be, and how we spell that.
_KINDS: dict[str, tuple[Any, str]] = {
    "Sequence": (Sequence, "a list of integers"),
    "SupportsFloat": ((SupportsFloat, SupportsIndex), "a number"),
    "SupportsInt": (SupportsIndex, "an integer"),
    "bool": (bool, "a bool"),
    "str": (str, "text"),
}


def sentence(said: TypeError, /, *args: Any, **named: Any) -> str:
    """What pybind11 said of a call with these arguments, in one sentence that names the wrong one."""
    op, listed = re.findall(r"^(\w+)\(\): .*\n +1\. \((.*)\) -> ", str(said))[0]
    asked: Any = ast.parse(f"lambda {re.sub(r': [^,=]*', '', listed)}: 0", mode="eval").body
    places, names = ([a.arg for a in some] for some in (asked.args.args, asked.args.kwonlyargs))
    kinds = dict(re.findall(r"(\w+): ([^,=]*)", listed))
    if strange := [name for name in named if name not in kinds]:
        return f"[{op}] {strange[0]} is no argument, expected {', '.join(kinds)}"
    if len(args) > len(places):
        most = f"{len(places)}, {', '.join(places)}"
        return f"[{op}] there are {len(args)} arguments without a name, expected at most {most}"
    if twice := [name for name in places[: len(args)] if name in named]:
        return f"[{op}] {twice[0]} is given twice, expected once"
    given = {**dict(zip(places, args, strict=False)), **named}
    optional = places[len(places) - len(asked.args.defaults) :]
    optional += [n for n, value in zip(names, asked.args.kw_defaults, strict=True) if value]
    if missing := [name for name in kinds if name not in given and name not in optional]:
        return f"[{op}] {missing[0]} is missing, expected {', '.join(kinds)}"
    for name, value in given.items():
        kind, expected = next(
            (k for word, k in _KINDS.items() if word in kinds[name]), (object, "")
        )
        if not isinstance(value, kind):
            return f"[{op}] {name} is {an(value)}, expected {expected}"
    return f"[{op}] the arguments do not fit, expected ({listed})"
