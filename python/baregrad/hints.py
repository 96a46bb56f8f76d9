"""Words of error messages: what a value is, and what to write instead of a name that is not there."""

from __future__ import annotations

from typing import NoReturn


def an(value: object) -> str:
    """What it is: "a str", "an int"."""
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" or name == "ndarray" else f"a {name}"


def like(name: str, known: list[str]) -> str:
    """The known names that look like it, or all."""
    from difflib import get_close_matches  # only for a sentence

    return " or ".join(get_close_matches(name, known)) or ", ".join(known)


INSTEAD = {
    "bmm": "x @ y",
    "copy": "x.clone()",
    "cuda": 'x.to("cuda"), where bg.cuda.is_available()',
    "gather": "x[rows, columns], with arrays of integers",
    "half": "x.float()",
    "index_select": "x[:, rows]",
    "int": "x.long()",
    "masked_fill": "bg.where(mask, value, x)",
    "new_zeros": "bg.zeros(shape, dtype=x.dtype, device=x.device)",
    "nonzero": "x.numpy().nonzero()",
    "norm": "(x * x).sum().sqrt()",
    "repeat": "bg.cat([x] * n)",
    "scatter_": "x[rows, columns] = values",
    "square": "x ** 2",
    "topk": "x.numpy().argsort()",
    "type": "x.to(dtype)",
    "where": "bg.where(condition, x, y)",
}


class Missing:
    """The place of such a name: to ask for it is an AttributeError that says what to write."""

    def __init__(self, name: str, instead: str) -> None:
        self.name, self.instead = name, instead

    def __get__(self, owner: object, kind: type) -> NoReturn:
        raise AttributeError(
            f"{kind.__name__} has no {self.name!r}; write {self.instead} instead; docs/api.md lists "
            "what it has"
        )
