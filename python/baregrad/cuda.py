"""The CUDA backend: whether it is here."""

from __future__ import annotations

from . import backend


def is_available() -> bool:
    """Whether `.to("cuda")` works. `why_not` says why it does not."""
    return backend.why_absent("cuda") is None


def why_not() -> str | None:
    """Why the CUDA backend is not here, or None if it is."""
    return backend.why_absent("cuda")
