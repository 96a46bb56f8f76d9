"""`baregrad show --asm`: which loop it finds, and what it counts in it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from baregrad import own
from baregrad.cli import assembly, main
from baregrad.cli.loops import innermost
from baregrad.instructions import Counts
from toolchain import compiler

ROOT = Path(__file__).parent.parent
CROSS = "aarch64-linux-gnu-g++"

needs_compiler = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")


def here() -> list[str]:
    return list(assembly.targets()) if compiler() else []


needs_x86 = pytest.mark.skipif("avx2" not in here(), reason="needs a compiler for x86-64")


def show(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, list[str], str]:
    """The heading, the instructions and the counts."""
    assert main(["show", *words]) == 0
    heading, _, _, which, how, _, *listing, _, counts = capsys.readouterr().out.rstrip().split("\n")
    assert "the one with the most float arithmetic for a load or store" in which
    assert "-O3" in how
    return heading, [line.strip() for line in listing], counts


def number(kind: str, counts: str) -> int:
    found = re.search(rf"\b(\d+) {kind}s?\b", counts)
    return int(found[1]) if found else 0


def tile(isa: str) -> tuple[int, int]:
    text = (own.HEADERS / "isa" / f"{isa}.cpp").read_text()
    rows, vectors = re.findall(r"kTile(?:Rows|Vectors) = (\d+)", text)
    return int(rows), int(vectors)


@needs_x86
@pytest.mark.parametrize(("isa", "lanes"), [("avx2", 8), ("avx512", 16)])
def test_the_loop_of_gemm_is_its_tile(
    isa: str, lanes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, vectors = tile(isa)
    heading, lines, counts = show(capsys, "gemm", "--asm", isa)
    assert heading.startswith(f"gemm, {isa}: ")
    assert "multiply_slivers" in heading
    assert counts.startswith(f"{rows * vectors} multiply-adds of {lanes} floats, ")
    assert sum("vfmadd" in line for line in lines) == rows * vectors
    assert (number("load", counts), number("broadcast", counts)) == (vectors, rows)
    assert number("store", counts) == 0
    flops, loads = 2 * lanes * rows * vectors, rows + vectors
    assert counts.endswith(f": {flops} flops for {loads} loads")


@needs_x86
def test_the_baseline_multiplies_and_then_adds(capsys: pytest.CaptureFixture[str]) -> None:
    rows, vectors = tile("baseline")
    _, lines, counts = show(capsys, "gemm", "--asm", "baseline")
    assert sum(line.startswith("mulps") for line in lines) == rows * vectors
    assert sum(line.startswith("addps") for line in lines) == rows * vectors
    assert counts.startswith(f"{rows * vectors} multiplications, {rows * vectors} additions of 4")


@pytest.mark.skipif(shutil.which(CROSS) is None, reason="needs a cross compiler")
def test_neon_multiplies_and_adds_in_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CXX", CROSS)
    rows, vectors = tile("neon")
    _, lines, counts = show(capsys, "gemm", "--asm", "neon")
    assert sum(line.startswith("fmla") for line in lines) == rows * vectors
    assert counts.startswith(f"{rows * vectors} multiply-adds of 4 floats, ")


@needs_x86
@pytest.mark.parametrize(
    ("op", "loads", "function"),
    [("relu", 1, "forward"), ("relu_backward", 2, "backward")],
)
def test_a_kind_and_a_direction_have_a_loop_of_their_own(
    op: str, loads: int, function: str, capsys: pytest.CaptureFixture[str]
) -> None:
    heading, lines, counts = show(capsys, op, "--asm", "avx2")
    assert re.search(rf"map_{function}.*relu", heading)
    assert (number("load", counts), number("store", counts)) == (loads, 1)
    assert sum("YMMWORD PTR" in line.upper() for line in lines) == loads + 1


@needs_x86
def test_a_slot_is_compiled_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    heading, _, counts = show(capsys, "softmax_xent_backward", "--asm", "avx2")
    assert "softmax_xent_backward" in heading.partition(":")[2]
    assert re.match("[1-9] multiplications? of 8 floats, [1-9] loads?, [1-9] stores?,", counts)


@needs_x86
def test_a_rung_and_a_file_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heading, _, counts = show(capsys, "gemm", "--asm", "avx512", "--use", "gemm=ladder/sums")
    assert heading.startswith("gemm=ladder/2_sums, avx512: ")
    assert counts.startswith("8 multiply-adds of 16 floats, 8 loads, 1 broadcast, 0 stores, ")
    file = tmp_path / "mine.cpp"
    rung = own.HEADERS / "ladder" / "gemm_1_rows.cpp"
    file.write_text(rung.read_text().replace('"../', f'"{own.HEADERS}/'))
    _, _, counts = show(capsys, "gemm", "--asm", "avx2", "--use", str(file))
    adds = number("multiply-add", counts)  # some compilers take several vectors a turn
    assert adds <= number("load", counts) <= 2 * adds  # the first term is added to zeros
    assert number("store", counts) == adds


@needs_compiler
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("gemm --asm avx3", "argument --asm: 'avx3', expected one that the compiler here is for: "),
        ("gem --asm ISA", "argument op: 'gem', expected one of gemm, "),
        ("relu_sideways --asm ISA", "argument op: 'relu_sideways', expected one of gemm, "),
        ("gemm --use gemm=ladder/1", "argument --use: only with --asm"),
        ("gemm --asm ISA --use conv2d=ladder/1", "'conv2d=ladder/1', expected a rung, gemm=ladder"),
        ("gemm --asm ISA --use gemm=ladder/99", "gemm is 'ladder/99', expected isa=..., a file"),
        ("relu --asm ISA --use unary=ladder/0", "'relu', expected unary with --use"),
        ("gemm --asm ISA --use nowhere.cpp", "[use] nowhere.cpp: No such file"),
        ("conv2d --asm ISA --use FILE", "fills gemm, expected conv2d"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(
    words: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.cpp"
    file.write_text("void gemm_plain(int m, int n, int k, float* a, float* b, float* c) {}")
    with pytest.raises(SystemExit) as stop:
        main(["show", *words.replace("FILE", str(file)).replace("ISA", here()[0]).split()])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.strip().splitlines()) == 1


@needs_compiler
def test_what_has_no_loop_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.cpp"
    file.write_text("void philox_uniform(const int64_t*, float* out, int64_t) { *out = 1; }")
    with pytest.raises(SystemExit):
        main(["show", "philox", "--asm", here()[0], "--use", str(file)])
    assert re.search("mine.cpp, .*: there is no loop$", capsys.readouterr().err.strip())


def test_without_a_compiler_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit):
        main(["show", "gemm", "--asm", "avx2"])
    error = capsys.readouterr().err
    assert (
        error
        == "baregrad: [show]: there is no C++ compiler, expected g++, clang++ or another in $CXX\n"
    )


def test_the_flags_are_those_of_the_build() -> None:
    build = (ROOT / "CMakeLists.txt").read_text()
    common = re.search(r"PRIVATE (-O3 .*?) \$\{ARGN\}", build, re.DOTALL)
    assert common
    standard = ("-std=c++20", "-fvisibility=hidden", "-fPIC")
    assert (*standard, *common[1].split()) == assembly.COMMON
    assert "CXX_STANDARD 20" in build
    assert "VISIBILITY_PRESET hidden" in build
    assert "POSITION_INDEPENDENT_CODE ON" in build
    isas = re.findall(r"^ *add_isa\((\w+) ?(.*)\)", build, re.MULTILINE)
    flags = {isa: tuple(words.split()) for isa, words in isas}
    ours = {isa: words for isas in assembly.MACHINES.values() for isa, words in isas.items()}
    assert ours == flags


# An instruction on each line, and what it counts for.
X86 = """
vfmadd231ps\tymm1, ymm2, YMMWORD PTR [rax]     : multiply-adds of 8 floats, loads
vfnmadd213pd\tymm1, ymm2, ymm3                 : multiply-adds of 4 doubles
vfmadd231ps\tzmm1, zmm2, DWORD PTR [rax]{1to16}: multiply-adds of 16 floats, broadcasts
vfmadd132ss\txmm1, xmm2, xmm3                  : multiply-adds of 1 float
mulps\txmm1, XMMWORD PTR .LC0[rip]             : multiplications of 4 floats, loads
vcmpleps\tymm0, ymm1, ymm2                     : comparisons of 8 floats
vsqrtps\tzmm0, zmm1                            : square roots of 16 floats
vpaddd\tymm0, ymm1, ymm2                       : others
vbroadcastss\tymm2, DWORD PTR -24[rdi]         : broadcasts
vbroadcastss\tymm2, xmm1                       : others
vmovups\tYMMWORD PTR [rdx+rax*4], ymm0         : stores
vmovups\tzmm0{k1}{z}, ZMMWORD PTR [rdx]        : loads
vmaskmovps\tYMMWORD PTR [rdx], ymm0, ymm1      : stores
vextractf128\tXMMWORD PTR [rdx], ymm0, 0x1     : stores
movss\txmm2, DWORD PTR [rdi]                   : loads
mov\trax, QWORD PTR 8[rdi]                     : integer loads
mov\tQWORD PTR 8[rdi], rax                     : integer stores
add\tQWORD PTR 8[rdi], 1                       : integer loads, integer stores
cmp\tQWORD PTR 16[rsp], rsi                    : integer loads
lea\trax, [rdi+rsi*4]                          : others
prefetcht0\t[rax+64]                           : others
call\tmemcpy@PLT                               : calls
jmp\t[QWORD PTR .L4[0+rax*8]]                  : others
ret                                            : others
"""
AARCH64 = """
fmla\tv3.4s, v2.4s, v18.s[0] : multiply-adds of 4 floats
fmadd\ts0, s1, s2, s3        : multiply-adds of 1 float
fmul\tv0.2d, v1.2d, v2.2d    : multiplications of 2 doubles
fsub\td0, d1, d2             : additions of 1 double
fcmgt\tv1.4s, v0.4s, v4.4s   : comparisons of 4 floats
ldr\tq23, [x5], 16           : loads
ldp\tq2, q1, [x1]            : loads, loads
ld1\t{v0.4s - v3.4s}, [x0]   : loads, loads, loads, loads
ld1r\t{v19.4s}, [x0]         : broadcasts
stp\tq3, q1, [sp, 96]        : stores, stores
ldp\tx29, x30, [sp]          : integer loads, integer loads
str\twzr, [x0]               : integer stores
add\tx0, x0, #16             : others
bl\tmemcpy                   : calls
"""


@pytest.mark.parametrize("line", [*X86.strip().splitlines(), *AARCH64.strip().splitlines()])
def test_what_an_instruction_counts_for(line: str) -> None:
    instruction, _, kinds = line.rpartition(": ")
    counts = Counts.of([instruction.rstrip()])
    named = [f"{kind} of {numbers}" for kind, numbers in counts.arithmetic.elements()]
    assert sorted([*named, *counts.other.elements()]) == sorted(kinds.strip().split(", "))
    assert counts.instructions == 1
    lanes = int((re.search(r" of (\d+)", kinds) or [0, 0])[1])
    assert counts.flops == lanes * (2 if "multiply-adds" in kinds else 1)


def test_counts_are_a_sentence() -> None:
    lines = [".L1:", "vmulps\tymm0, ymm1, YMMWORD PTR [rax]", "vaddps\tymm2, ymm2, ymm0"]
    lines += ["vaddss\txmm2, xmm2, xmm0", "add\trax, 32", "jne\t.L1"]
    assert str(Counts.of(lines)) == (
        "1 multiplication, 1 addition of 8 floats, 1 addition of 1 float, 1 load, 0 stores, "
        "2 others in 5 instructions: 17 flops for 1 load"
    )


# A loop over rows around one that a compiler has turned: its condition is jumped to, a part that
# seldom runs stands behind the function's end. `second` has one that ends in two places.
WRITTEN = """
\t.text
first:
.LFB1:
\tjmp\t.L9
.L3:
\tvaddps\tymm0, ymm0, ymm1\t# a comment
\tjmp\t.L5
.L4:
\tvmovups\tymm1, YMMWORD PTR [rsi]
\ttest\trax, rax
\tje\t.L3
\tvmulps\tymm0, ymm0, ymm1
\tvmulps\tymm0, ymm0, ymm0
.L5:
\tadd\trax, 1
.L6:
\tcmp\trax, rdx
\tjne\t.L4
\tadd\trdi, 8
.L9:
\txor\teax, eax
\tcmp\trdi, rcx
\tjne\t.L6
\tret
second:
.L12:
\tsub\trdi, 1
\tje\t.L15
\taddss\txmm0, xmm1
\tcmp\trdi, rsi
\tjne\t.L12
\tmulss\txmm0, xmm2
\tjmp\t.L12
.L15:
\tcall\tthird
\tret
third:
\tjmp\tsecond
"""


def test_loops_are_found_wherever_their_parts_stand() -> None:
    inner, ends = innermost(WRITTEN)
    assert (inner.function, ends.function) == ("first", "second")
    kinds = {kind for kind, _ in inner.counts.arithmetic}
    assert kinds == {"additions", "multiplications"}
    assert "add          rdi, 8" not in str(inner)
    assert "10 instructions, 6 of them in every turn: 24 flops" in str(inner)
    assert inner.work == (16, 16, 1)  # the multiplications, never the addition too
    assert str(ends).startswith("second:\n.L12:\n    sub ")
    assert ends.counts.instructions == 7
    assert "third" not in str(ends)
    assert ends.work == (0, 2, 0)


def test_a_loop_that_moves_no_floats_is_left_out_of_the_one_around_it() -> None:
    inside = ["\tdivps\txmm0, xmm1", ".L2:", "\tmov\tr8, QWORD PTR [rsi]", "\tjne\t.L2"]
    loop, _ = innermost("\n".join(["f:", "\tnop", ".L1:", *inside, "\tjl\t.L1", "\tret"]))
    assert "divps" in str(loop)
    assert "mov" not in str(loop)
    assert "1 division of 4 floats, 0 loads, 0 stores, 1 other in 2 instructions" in str(loop)


def test_a_jump_back_into_code_that_is_reached_otherwise_is_no_loop() -> None:
    lines = ["f:", "\tjne\t.L2", ".L1:", "\tadd\trax, 1", ".L2:", "\tadd\trax, 2", "\tjne\t.L1"]
    assert innermost("\n".join([*lines, "\tret"])) == []


@needs_compiler
@pytest.mark.parametrize("op", ["fill", "where", "adam_step"])
def test_ops_without_arithmetic_and_with_lists_have_a_loop(
    op: str, capsys: pytest.CaptureFixture[str]
) -> None:
    heading, lines, counts = show(capsys, op, "--asm", here()[0])
    assert heading.startswith(f"{op}, ")
    assert lines
    assert number("store", counts) > 0
    assert (number("flop", counts) > 0) == (op == "adam_step")
