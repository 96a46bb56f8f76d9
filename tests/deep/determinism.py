"""One hash of every kernel, op, gradient and of 100 training steps, however they are run.

Of each instruction set two processes compute it, one told by bg.use and one by its environment,
each with 1, 2, 3, 4 and 8 threads; all ten must be equal.
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain

import baregrad as bg
import fingerprints
from baregrad import _cpu

THREADS = (1, 2, 3, 4, 8)
STEPS = 100


def everything() -> list[str]:
    """The hash of all there is to compute, for each number of threads."""
    parts = chain(
        fingerprints.kernels(bg.kernels.cpu),
        fingerprints.gradients(),
        fingerprints.trainings(STEPS),
    )
    return fingerprints.hashes(parts, THREADS)


def in_a_process(code: str, **environment: str) -> list[str]:
    """The hashes that a new process prints."""
    command = [sys.executable, "-c", f"from deep import determinism; {code}"]
    done = subprocess.run(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.split()


def main() -> int:
    """1 unless every hash of an instruction set is the same."""
    say = "print(*determinism.everything())"
    found = {
        isa: [
            *in_a_process(f"determinism.bg.use(isa={isa!r}); {say}"),
            *in_a_process(say, BAREGRAD_USE=f"isa={isa}"),
        ]
        for isa in _cpu.available()
    }
    for isa, hashes in found.items():
        print(isa, *hashes)
    print(
        f"{STEPS} steps, threads {', '.join(map(str, THREADS))}, two processes: "
        + ", ".join(f"{' or '.join(sorted(set(hashes)))} ({isa})" for isa, hashes in found.items())
    )
    return int(any(len(set(hashes)) > 1 for hashes in found.values()))


if __name__ == "__main__":
    sys.exit(main())
