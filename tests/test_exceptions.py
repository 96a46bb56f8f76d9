"""What a plug-in throws, inside a parallel body or not, on whichever thread, is a Python exception."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu
from toolchain import SOURCES, compile_shared, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")

# x[0] says what to throw, x[1] where: in no body, or in the body of that index.
PLUG_IN = f"""
#include <new>
#include <stdexcept>
#include "{SOURCES}/csrc/kernels.h"
#include "{SOURCES}/csrc/threads.h"

struct Call {{
  const float* x;
  float* out;
  void fail() const {{
    if (x[0] == 1) throw std::out_of_range("row 7 is not there");
    if (x[0] == 2) throw std::bad_alloc();
    if (x[0] == 3) throw 7;
  }}
}};

static void body(void* context, int64_t begin, int64_t end) {{
  const Call& call = *static_cast<Call*>(context);
  for (int64_t i = begin; i < end; ++i) {{
    if (i == call.x[1]) call.fail();
    call.out[i] = 2 * call.x[i];
  }}
}}

static void twice(baregrad::UnaryKind, const float* x, float* out, int64_t n, float) {{
  Call call = {{x, out}};
  if (x[1] < 0) call.fail();
  baregrad::parallel_for(n, 16, body, &call);
}}

void baregrad_plugin(baregrad::Kernels* table) {{ table->unary_forward = twice; }}
"""

SIZES = {"short, with the GIL": 1024, "long, without it": 1 << 23}


@pytest.fixture(scope="module", params=["-fopenmp", "-pthread"])
def plug_in(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled with the library's threads: OpenMP's and its own."""
    if request.param == "-fopenmp" and "OpenMP" not in _cpu.thread_runtime():
        pytest.skip("built without OpenMP")
    folder = tmp_path_factory.mktemp("plug_in")
    source = folder / "twice.cpp"
    source.write_text(PLUG_IN)
    threads = SOURCES / "csrc" / "threads.cpp"
    return compile_shared([source, threads], folder / "twice.so", request.param)


@pytest.fixture
def used(plug_in: Path) -> Iterator[None]:
    with bg.use(unary=str(plug_in)):
        yield


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("n", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("share", [None, 0.0, 0.3, 0.6, 1.0])
@pytest.mark.parametrize(
    ("what", "error", "sentence"),
    [
        (1, RuntimeError, r"\[relu_forward\] row 7 is not there"),
        (2, MemoryError, None),
        (3, RuntimeError, r"\[relu_forward\] the kernel threw what is no std::exception"),
    ],
    ids=["std::out_of_range", "std::bad_alloc", "an int"],
)
def test_is_raised_and_the_library_goes_on(
    n: int, share: float | None, what: int, error: type[Exception], sentence: str | None
) -> None:
    x = np.ones(n, np.float32)
    x[0], x[1] = what, -1 if share is None else int(share * (n - 1))
    in_use = _cpu.pool()["in_use"]
    with pytest.raises(error, match=sentence):
        bg.kernels.cpu.relu_forward(x)
    assert _cpu.pool()["in_use"] == in_use
    x[0], x[1] = 0, 0
    np.testing.assert_array_equal(bg.kernels.cpu.relu_forward(x), 2 * x)
