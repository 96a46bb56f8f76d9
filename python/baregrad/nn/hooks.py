"""Hooks: functions that a Module calls after its forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ..ops.arguments import function

Hook: TypeAlias = Callable[[Any, tuple[Any, ...], Any], Any]  # of the module, arguments and result


class RemovableHandle:
    """What registering a hook returns; `remove()` takes the hook away."""

    def __init__(self, hooks: dict[RemovableHandle, Hook], hook: Hook) -> None:
        self._hooks = hooks
        hooks[self] = function("register_forward_hook", "hook", hook)

    def remove(self) -> None:
        """The hook is called no more."""
        self._hooks.pop(self, None)
