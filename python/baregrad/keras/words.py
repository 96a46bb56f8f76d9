"""Keras 1's names for arguments that are called otherwise today."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def words(**old: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a function be called in Keras 1's words too: `words(nb_epoch="epochs")`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            for then, now in old.items():
                if then in kwargs and now in kwargs:
                    raise TypeError(
                        f"[{function.__qualname__}] {then} and {now} are two names of one argument"
                    )
                if then in kwargs:
                    kwargs[now] = kwargs.pop(then)
            return function(*args, **kwargs)

        return call

    return decorate
