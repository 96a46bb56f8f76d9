"""A kernel of one's own: compiled, checked in a child, used; nothing that it does takes us down."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import baregrad as bg
import numpy as np
import pytest
from baregrad import _cpu, own, trial
from baregrad.cli import main
from toolchain import compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")

README = Path(__file__).parent.parent / "README.md"
PLAIN = README.read_text().split("```cpp\n")[1].split("```")[0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "my_gemm.cpp"


def test_a_product_as_tutorials_write_it_fills_the_slot(file: Path) -> None:
    file.write_text(PLAIN)
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    with bg.use(str(file)):
        assert _cpu.in_use().endswith("gemm=my_gemm")
        np.testing.assert_array_equal(bg.kernels.cpu.gemm(a, a.T), a @ a.T)
        batched = np.stack([a, -a])
        got = bg.kernels.cpu.gemm(
            batched, np.stack([a.T, a.T]), bias=np.ones(2, np.float32), alpha=2.0
        )
        np.testing.assert_array_equal(got, 2 * np.stack([a @ a.T, -(a @ a.T)]) + 1)
    assert "my_gemm" not in _cpu.in_use()


def test_a_slot_by_its_name_and_types(tmp_path: Path) -> None:
    source = tmp_path / "mine.cpp"
    source.write_text(
        '#include "kernels.h"\n'
        "using namespace baregrad;\n"
        "void softmax_xent_backward(const float* saved, const float* dloss, float* dlogits,\n"
        "                           int64_t n, int64_t c) {\n"
        "  for (int64_t i = 0; i < n * c; ++i) dlogits[i] = saved[i] * dloss[i / c];\n"
        "}\n"
    )
    plugin = own.build(source)
    assert (plugin.slots, plugin.ops) == (("softmax_xent_backward",), ["softmax_xent"])
    assert trial.check(plugin) > 50


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("j < n;", "j < n - (n % 4 == 3);",
         r"out\[0, 6\] is .*, expected .* of 105 elements \(m n k = 15 7 17\): the last column of a"),
        ("i < m;", "i < m - (m == 33);", "the last row of a ragged tile"),
        ("+= a", "= a", r"out\[0, 0\] is "),
        ("b[p * n + j]", "b[p * n + j] + (k == 17) / 0.f", "out"),
        ("c[i * n + j]", "c[(i * n + j) << 20 * (m == 33)]", r"crashed with SIG\w+ \(m n k = 33 "),
        ("  for", "  volatile int x = 0; while (m == 33) x = 0;\n  for",
         r"did not return within 3 s \(m n k = 33 "),
        ("int i = 0;", "int i = m == 33 ? __builtin_trap(), 0 : 0;", r"crashed with SIG"),
        ("{\n", "{\n  c[m * n] = 3;\n", r"crashed with SIGABRT, saying 'gemm_plain wrote outside c'"),
        ("{\n", "{\n  c[-2] = 3;\n", r"crashed with SIGABRT, saying 'gemm_plain wrote outside c'"),
        ("b[p * n + j]", "b[p * n + j] + 0 * b[k * n]",
         r"out\[0, 0\] is nan.*: never written, or made of what is not an operand's\?"),
        ("i < m;", "i < m + (n <= 16);",
         r"crashed with SIGABRT, saying 'gemm_plain wrote outside c'"),
    ],
)  # fmt: skip
def test_a_wrong_kernel_is_a_sentence(file: Path, right: str, wrong: str, sentence: str) -> None:
    assert right in PLAIN
    file.write_text(PLAIN.replace(right, wrong, 1))
    with pytest.raises(ValueError, match=r"\[gemm\] .*my_gemm.cpp: .*" + sentence):
        trial.check(own.build(file), seconds=3.0 if "while" in wrong else 20.0)


def test_a_product_of_no_terms_is_not_the_first_that_is_told(file: Path) -> None:
    file.write_text(naive("gemm", "j < size.n;", "j < size.n - 1;"))
    with pytest.raises(ValueError, match=r"\(m n k = \d+ \d+ [1-9]\d*\)"):
        trial.check(own.build(file))


def test_a_product_is_checked_on_hundreds_of_shapes_and_on_transposes(file: Path) -> None:
    file.write_text(PLAIN)
    assert trial.check(own.build(file)) > 300
    naive = (own.HEADERS / "ladder" / "gemm_0_naive.cpp").read_text().replace("../", "")
    assert naive.count("b.row") == naive.count("b.col") == 1
    file.write_text(naive.replace("b.col", "1"))
    with pytest.raises(ValueError, match=r"\(m n k \w+ = \d+ \d+ \d+ 1\): its strides\?"):
        trial.check(own.build(file))


@pytest.mark.parametrize("rung", ["gemm_0_naive", "gemm_6_threads", "conv2d_3_winograd"])
def test_a_copy_of_a_rung_finds_what_the_rung_includes(rung: str, tmp_path: Path) -> None:
    copy = shutil.copy(own.HEADERS / "ladder" / f"{rung}.cpp", tmp_path / "mine.cpp")
    assert own.build(Path(copy)).ops == [rung.partition("_")[0]]


@pytest.mark.parametrize(
    ("what", "case"),
    [
        ("if (c.col == 1) c.row = size.n;", "m n k within = "),
        ("c.batch = size.m * size.n;", "batch m n k within = "),
        ("if (a.row < 0) a.row = size.k;", "m n k backwards = "),
    ],
)
def test_a_product_is_checked_where_its_matrices_are_parts_of_others(
    file: Path, what: str, case: str
) -> None:
    naive = (own.HEADERS / "ladder" / "gemm_0_naive.cpp").read_text().replace("../", "")
    begins = "float beta, void*) {\n"
    assert naive.count(begins) == 1
    file.write_text(naive.replace(begins, begins + what))
    with pytest.raises(ValueError, match=rf"\({case}.*: its strides\?"):
        trial.check(own.build(file))


def test_a_kernel_that_leaves_the_process_is_noticed(file: Path) -> None:
    file.write_text(
        "#include <stdlib.h>\n" + PLAIN.replace("{\n", "{\n  if (m == 33) exit(3);\n", 1)
    )
    with pytest.raises(ValueError, match=r"left the process with 3 \(m n k = 33 "):
        trial.check(own.build(file))


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("__builtin_trap();", r"crashed with SIG\w+"),
        ("for (volatile int x = 0;;) x = 0;", "did not"),
    ],
)
def test_a_file_that_fails_as_it_is_loaded_is_blamed_for_no_case(
    file: Path, what: str, how: str
) -> None:
    file.write_text(PLAIN + f"struct At {{ At() {{ {what} }} }} once;\n")
    with pytest.raises(ValueError, match=rf"{how}.* \(as it was loaded, before the first case\)"):
        trial.check(own.build(file), seconds=3.0)


def test_what_fails_only_in_a_size_that_is_timed_does_not_take_the_bench_down(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = "  if (m * n * k == 1 << 18) __builtin_trap();\n"
    hang = "  for (volatile int x = 0; m * n * k == 1 << 18;) x = 0;\n"
    wrong = "  if (m * n * k == 1 << 18) c[7] = 5;\n"
    sentences = (r"crashed with SIG\w+", "did not return within 5 s", r"out\[0, 7\] is ")
    monkeypatch.setattr(trial, "_TIMED_SECONDS", 5.0)
    for what, sentence in zip((crash, hang, wrong), sentences, strict=True):
        file.write_text(PLAIN.replace("{\n", "{\n" + what, 1))
        assert trial.check(own.build(file)) > 300
        with pytest.raises(SystemExit):
            main(["bench", "gemm", "--use", str(file)])
        assert re.search(
            rf"\[gemm\] .*my_gemm.cpp: {sentence}.*m n k = 64 64 64", capsys.readouterr().err
        )


def test_what_is_wrong_is_never_used(file: Path) -> None:
    file.write_text(PLAIN.replace("+=", "-="))
    before = _cpu.in_use()
    with pytest.raises(ValueError, match=r"\[gemm\] .*my_gemm.cpp: out\[0, 0\] is"):
        bg.use(str(file))
    assert _cpu.in_use() == before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("void gemm_plain(int m) { x; }", r"does not compile:\n(.*\n)*.*'x' was not declared"),
        ("void gemm(int m) {}", "does not compile"),
        ("int main( {", r"does not compile:\n"),
        (
            "void baregrad_plugin(baregrad::Kernels* t) { t->gem = nullptr; }",
            r"does not compile:\n(.*\n)*.*has no member named .gem.",
        ),
        ("int main() {}", "defines no slot, expected gemm_plain or another of csrc/kernels.h"),
        ("void softmax_foward(int m) {}", "defines no slot, expected softmax_forward or another"),
        ("// void gemm_plain() {}", "defines no slot"),
    ],
)
def test_a_file_that_is_no_kernel_is_refused(
    file: Path, text: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    file.write_text(text)
    with pytest.raises(ValueError, match=r"\[use\] .*my_gemm.cpp " + sentence):
        own.build(file)


def test_a_file_that_is_not_there_or_not_text_is_refused(file: Path) -> None:
    with pytest.raises(ValueError, match=r"\[use\] .*my_gemm.cpp: No such file"):
        bg.use(str(file))
    os.mkfifo(file)
    with pytest.raises(
        ValueError, match=r"\[use\] .*my_gemm.cpp is a device or a pipe, expected a"
    ):
        bg.use(str(file))
    file.unlink()
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"my_gemm.cpp: not text"):
        bg.use(str(file))
    file.write_text(PLAIN)
    with pytest.raises(ValueError, match=r"\[use\] unary: .*my_gemm.cpp fills gemm"):
        bg.use(unary=str(file))


@pytest.mark.parametrize("name", ["a,b.cpp", 'a"b.cpp', "gemm=a b.cpp", "a.cc", "a.cxx"])
def test_a_file_may_be_called_anything_that_is_cpp(name: str, tmp_path: Path) -> None:
    source = tmp_path / name
    source.write_text(PLAIN)
    with bg.use(str(source)):
        assert _cpu.in_use().endswith(f"gemm={source.stem}")
    with pytest.raises(
        ValueError, match=r"gemm.c is no C\+\+ by its name, expected one that ends in"
    ):
        own.build(source.with_name("gemm.c"))


def test_the_compiler_is_the_one_that_was_asked_for(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(PLAIN)
    monkeypatch.setenv("CXX", f"{compiler()} -DNEVER_USED")
    own.build(file)
    file.write_text(PLAIN + "\n")
    monkeypatch.setenv("CXX", "nonsense")
    with pytest.raises(ValueError, match=r"\$CXX, 'nonsense', is not here, expected g\+\+, clang"):
        own.build(file)


@pytest.mark.parametrize("op", ["binary", "compare", "reduce", "unary"])
def test_a_kind_that_a_rung_lacks_is_named(op: str, tmp_path: Path) -> None:
    rung = (own.HEADERS / "ladder" / f"{op}_0_naive.cpp").read_text().replace("../", "")
    kind = re.findall(r"case (\w+):", rung)[-1]
    source = tmp_path / "mine.cpp"
    source.write_text(rung.replace(f"case {kind}:", ""))
    with pytest.raises(ValueError, match=f"{kind}.*not handled in switch"):
        own.build(source)


def test_a_changed_file_is_compiled_again(file: Path) -> None:
    file.write_text(PLAIN)
    first = own.build(file)
    assert own.build(file).library == first.library
    file.write_text(PLAIN + "\n")
    assert own.build(file).library != first.library


# The others are held to their cases as rungs; these have a workspace, a list of kinds, strides.
@pytest.mark.parametrize("op", ["conv2d", "unary", "reduce", "adam_step"])
def test_new_writes_what_check_finds_right(
    op: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / f"my_{op}.cpp"
    assert main(["new", op, str(source)]) == 0
    assert main(["check", str(source)]) == 0
    assert re.search(r"right in \d+ cases", capsys.readouterr().out)
    with pytest.raises(SystemExit):
        main(["new", op, str(source)])
    assert "is there already" in capsys.readouterr().err


def test_a_kind_is_no_op_to_begin_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["new", "relu", str(tmp_path / "mine.cpp")])
    assert capsys.readouterr().err.endswith("; relu is a kind of unary\n")
    with pytest.raises(SystemExit):
        main(["new", "softmax_forward", str(tmp_path / "mine.cpp")])
    assert capsys.readouterr().err.endswith("; softmax_forward is a kernel of softmax\n")


def test_it_trains(file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file.write_text(PLAIN)
    out = str(tmp_path / "model.safetensors")
    command = ["train", "--data", "digits", "--model", "mlp", "--epochs", "2", "--out", out]
    assert main([*command, "--use", str(file)]) == 0
    assert re.search(r"test +loss .* accuracy 9\d", capsys.readouterr().out)


def test_the_environment_may_name_a_file_and_its_child_does_not_try_it_again(file: Path) -> None:
    file.write_text(PLAIN)
    code = "from baregrad import _cpu; print(_cpu.in_use())"
    environment = {**os.environ, "BAREGRAD_USE": str(file)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip().endswith("gemm=my_gemm")


def test_a_product_that_adds_to_an_out_that_it_should_not_read_is_wrong(file: Path) -> None:
    naive = (own.HEADERS / "ladder" / "gemm_0_naive.cpp").read_text().replace("../", "")
    assert "beta != 0 ? beta * out : 0" in naive
    file.write_text(naive.replace("beta != 0 ? beta * out : 0", "beta != 0 ? beta * out : out"))
    with pytest.raises(ValueError, match=r"\(m n k plain = \d+ \d+ \d+ 1\)"):
        trial.check(own.build(file))


def naive(op: str, right: str, wrong: str) -> str:
    """Rung 0 of an op, as a file of one's own, with a mistake in it."""
    text = (own.HEADERS / "ladder" / f"{op}_0_naive.cpp").read_text().replace("../", "")
    assert text.count(right) == 1
    return text.replace(right, wrong)


# Each is right for numbers of moderate size and for arguments that are allowed.
@pytest.mark.parametrize(
    ("op", "right", "wrong", "sentence"),
    [
        ("unary", "return x <= 0 ? 0 : x", "return x > 0 ? x : 0",
         r"\[relu_forward\] .* is 0, expected nan, and so \d+ of \d+ elements \(n = \d+, special\)$"),
        ("compare", "return a != b", "return a < b || a > b", r"\[ne\] .* is 0, expected 1, "),
        ("reduce", "return a == a && (b != b || (larger ? b > a : b < a))",
         "return larger ? b > a : b < a", r"\[(reduce_m|arg)\w+\] .*special\)$"),
        ("softmax_xent", "label < 0 || label >= c", "label < 0",
         r"\[softmax_xent_forward\] .*: accepted that labels\[11\] is 10, .* < 10 \(.*, label_10\)$"),
        ("softmax_xent", "label < 0 || label >= c", "label >= c", r"is -1, .*, label_-1\)$"),
        ("softmax_xent", "if (i < *bad_row) *bad_row", "*bad_row",
         r"said that labels\[\d+\] is .*, not that labels\[\d+\] is "),
        ("gather_rows", "rows[i] >= 0 && rows[i] < v", "rows[i] < v",
         r"\[gather_rows\] .*: accepted that rows\[\d+\] is -1, expected 0 <= rows < 7 "),
    ],
)  # fmt: skip
def test_a_kernel_that_swallows_nan_or_accepts_what_is_outside_is_wrong(
    file: Path, op: str, right: str, wrong: str, sentence: str
) -> None:
    file.write_text(naive(op, right, wrong))
    with pytest.raises(ValueError, match=sentence):
        trial.check(own.build(file))


def test_an_output_over_its_input_is_checked(tmp_path: Path) -> None:
    source = tmp_path / "my_softmax.cpp"
    main(["new", "softmax", str(source)])
    begin = "i < n; ++i, x += c, out += c) {"
    text = source.read_text()
    assert begin in text
    source.write_text(
        text.replace(begin, f"{begin}\n    for (int j = 0; j < c; ++j) out[j] = 0;", 1)
    )
    with pytest.raises(ValueError, match=r"out\[0, 0\] is .*\(n c scale over_x = 3 33 3 1\)"):
        trial.check(own.build(source))
