"""10,000 random products through the gates of gemm and convolution, on every instruction set."""

from __future__ import annotations

import baregrad as bg
import gates
from baregrad import _cpu

COUNT = 10_000


def main() -> None:
    """Print the largest share of each bound; AssertionError where a gate holds something back."""
    largest = {isa: gates.Shares(0.0, 0.0) for isa in _cpu.available()}
    for number in range(COUNT):
        trial = gates.trial(number)
        for isa, before in largest.items():
            with bg.use(isa=isa):
                largest[isa] = gates.Shares(*map(max, before, trial.check(bg.kernels.cpu)))
    of_gamma, of_root = (
        ", ".join(f"{shares[i]:.2f} ({isa})" for isa, shares in largest.items()) for i in (0, 1)
    )
    print(f"{COUNT:,} shapes, the largest share of gamma_k {of_gamma}; of 8 sqrt(k) u {of_root}")


if __name__ == "__main__":
    main()
