"""Who races, and in which settings: as installed, and as those do who know how to make it fast."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Setting:
    """A contestant as its users may start it: a file of `contestants`, and an environment."""

    name: str
    file: str
    environment: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable
    ours: bool = False
    fewer: float = (
        1  # times fewer multiplications than windows have, in works that can do with them
    )

    @property
    def channels_last(self) -> bool:
        return self.environment.get("LAYOUT") == "channels_last"


ALLOCATOR = {  # glibc's: memory once had is kept, as page faults cost more than many kernels
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
CHANNELS_LAST = {"LAYOUT": "channels_last"}
WINOGRAD = {"BAREGRAD_USE": "conv2d=ladder/winograd"}  # csrc/ladder/conv2d_3_winograd.cpp
OURS = [
    Setting("kernel", "baregrad_kernels.py", ours=True),
    Setting("Tensor", "baregrad_tensors.py", ours=True),
    Setting("Winograd", "baregrad_tensors.py", WINOGRAD, ours=True, fewer=4),
]
YARDSTICKS = [
    Setting("NumPy", "numpy.py"),
    Setting("NumPy, SkylakeX", "numpy.py", {"OPENBLAS_CORETYPE": "SkylakeX"}),
    Setting("PyTorch", "torch.py"),
    Setting("PyTorch, allocator", "torch.py", ALLOCATOR),
    Setting("PyTorch, channels_last", "torch.py", CHANNELS_LAST),
    Setting("PyTorch, channels_last, allocator", "torch.py", CHANNELS_LAST | ALLOCATOR),
    Setting("JAX", "jax.py"),
]
