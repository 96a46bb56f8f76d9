"""cuda/simt/translate.py: what it rewrites, what it leaves alone, what it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from toolchain import SIMT, CompileError, compile_cu, compiler, translator


def body(text: str) -> str:
    """The translation of `text`, without the two lines at the top."""
    translated: str = translator().translate(text, "file.cu")
    include, line, rest = translated.split("\n", 2)
    assert include == "#include <cuda_runtime.h>"
    assert line == '#line 1 "file.cu"'
    return rest


def refusal(text: str) -> str:
    with pytest.raises(ValueError, match=r"file\.cu") as raised:
        translator().translate(text, "file.cu")
    return str(raised.value)


def in_kernel(declaration: str) -> str:
    """The translation of one declaration inside a kernel, blanks squeezed."""
    translated = body(f"__global__ void k() {{{declaration}}}")
    inside = translated.removeprefix("__global__ void k() {").removesuffix("}")
    return " ".join(inside.split())


def launched(kernel: str) -> str:
    return f".of([=](auto... launch_arguments) {{ {kernel}(launch_arguments...); }})"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("k<<<1, 32>>>(x, n);", '::simt::Launch("k", 1, 32)' + launched("k") + "(x, n);"),
        (
            "k<<<dim3(2, 3), b, bytes(n, 4), stream>>>();",
            '::simt::Launch("k", dim3(2, 3), b, bytes(n, 4), stream)' + launched("k") + "();",
        ),
        (
            "k<16, true><<<g, b>>>(x);",
            '::simt::Launch("k<16, true>", g, b)' + launched("k<16, true>") + "(x);",
        ),
        (
            "a::b::k <T, (N > 2), pair<int, 3>> <<<g, b>>> (x);",
            '::simt::Launch("a::b::k <T, (N > 2), pair<int, 3>>", g, b)'
            + launched("a::b::k <T, (N > 2), pair<int, 3>>")
            + " (x);",
        ),
        ("::k<<<g, b>>>(x);", '::simt::Launch("::k", g, b)' + launched("::k") + "(x);"),
        (
            "return ::a::k<<<g, b>>>(x);",
            'return ::simt::Launch("::a::k", g, b)' + launched("::a::k") + "(x);",
        ),
        ("else k<<<g, b>>>(x);", 'else ::simt::Launch("k", g, b)' + launched("k") + "(x);"),
        (
            "if (n > 0) k<<<g, b>>>(x);",
            'if (n > 0) ::simt::Launch("k", g, b)' + launched("k") + "(x);",
        ),
        (
            "Ops<T>::template k<3><<<g, b>>>(x);",
            '::simt::Launch("Ops<T>::template k<3>", g, b)'
            + launched("Ops<T>::template k<3>")
            + "(x);",
        ),
        (
            "k<1 << 4><<<g, count<f<int>>>>>(x);",
            '::simt::Launch("k<1 << 4>", g, count<f<int>>)' + launched("k<1 << 4>") + "(x);",
        ),
        (
            "k<'a'><<<g, b>>>(f(h<int, 2>(1), [&] { return n; }()), \"x>>>y\");",
            "::simt::Launch(\"k<'a'>\", g, b)"
            + launched("k<'a'>")
            + '(f(h<int, 2>(1), [&] { return n; }()), "x>>>y");',
        ),
        (
            "n = 1'000; k<<<max(a<b<c<int>>>(1), 2), 3>>>(n, 'x');",
            'n = 1\'000; ::simt::Launch("k", max(a<b<c<int>>>(1), 2), 3)'
            + launched("k")
            + "(n, 'x');",
        ),
        (
            "k /* which */ <<<g, /* >>>( */ b>>>(x);",
            '::simt::Launch("k", g, /* >>>( */ b)' + launched("k") + "(x);",
        ),
        (
            "#define RUN(T) case T: k<T><<<g, b>>>(x); break",
            '#define RUN(T) case T: ::simt::Launch("k<T>", g, b)' + launched("k<T>") + "(x); break",
        ),
    ],
)
def test_rewrites_a_launch(before: str, after: str) -> None:
    assert body(before) == after


def test_rewrites_two_launches_in_one_statement() -> None:
    translated = body("a<<<1, 2>>>(x), b<<<3, 4>>>(y);")
    assert translated == (
        f'::simt::Launch("a", 1, 2){launched("a")}(x), ::simt::Launch("b", 3, 4){launched("b")}(y);'
    )


def stored(name: str, alignment: str = "return 1;") -> str:
    return f'::simt::SharedArray("{name}", [] {{ {alignment} }})'


def aligned(to: str) -> str:
    return f"struct {to} Aligned {{}}; return alignof(Aligned);"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "__shared__ float tile[16][kN + 1];",
            f"float (&tile)[16][kN + 1] = {stored('tile')};",
        ),
        ("__shared__ float total;", f"float &total = {stored('total')};"),
        (
            "__shared__ unsigned long long a, b[2];",
            f"unsigned long long &a = {stored('a')}, (&b)[2] = {stored('b')};",
        ),
        (
            "__shared__ Pair<T, (N > 2)> best[Sizes<T, 4>::value][index[a < b ? 0 : 1]];",
            "Pair<T, (N > 2)> (&best)[Sizes<T, 4>::value][index[a < b ? 0 : 1]] "
            + f"= {stored('best')};",
        ),
        ("__shared__ float *a, *b;", f"float *&a = {stored('a')}, *&b = {stored('b')};"),
        ("volatile __shared__ int flag;", f"volatile int &flag = {stored('flag')};"),
        ("float __shared__ tile[4];", f"float (&tile)[4] = {stored('tile')};"),
        (
            "__shared__ __align__(16) float tile[4];",
            f"float (&tile)[4] = {stored('tile', aligned('__align__(16)'))};",
        ),
        (
            "alignas(float4) __shared__ float tile[4], more[2];",
            f"float (&tile)[4] = {stored('tile', aligned('alignas(float4)'))}, "
            + f"(&more)[2] = {stored('more', aligned('alignas(float4)'))};",
        ),
        (
            "extern __shared__ float rows[];",
            'float (&rows)[] = ::simt::DynamicSharedArray("rows");',
        ),
        (
            "extern __shared__ __align__(16) unsigned char bytes [ ];",
            'unsigned char (&bytes) [ ] = ::simt::DynamicSharedArray("bytes");',
        ),
        (
            "extern __shared__ float4 rows[][8];",
            'float4 (&rows)[][8] = ::simt::DynamicSharedArray("rows");',
        ),
        ("__noinline__ int f();", "__attribute__((noinline)) int f();"),
    ],
)
def test_rewrites_a_declaration(before: str, after: str) -> None:
    assert in_kernel(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "// __shared__ float x; k<<<1, 2>>>(y);\n",
        "// a comment \\\n that goes on: k<<<1, 2>>>(y);\n",
        "/* __shared__\n k<<<1, 2>>>(y); */\n",
        'const char* s = "k<<<1, 2>>>(y); \\" __shared__ int x;";\n',
        'const char* s = R"x(__shared__ int a; )" k<<<1, 2>>>(y);)x";\n',
        "const char c = '\"'; int n = 1'000'000; const char d = '\\'';\n",
        "int f(int a) { return a << 3 >> 1; }\n",
        "std::vector<std::vector<std::vector<int>>> nested;\n",
        "int not__shared__ = 0, __shared__x = 1;\n",
        "",
    ],
)
def test_leaves_everything_else_alone(text: str) -> None:
    assert body(text) == text


def test_keeps_every_line_where_it_was() -> None:
    text = """\
template <int N> __global__ void k(float* x) {
  __shared__ __align__(
      16) float a[N]
      [4], /* two
      */ b;
  extern
  __shared__ float c[];
  marker_one;
}
void f() {
  k<
      4   // lanes
      ><<<dim3(1,
               2), 3>>>
      (x,
       y);
  marker_two;
}
"""
    translated = body(text)
    assert translated.count("\n") == text.count("\n")
    for number, line in enumerate(text.splitlines()):
        if "marker" in line or line in ("}", "       y);"):
            assert translated.splitlines()[number] == line
    assert '::simt::Launch("k< 4 >", ' in translated


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("\n\nvoid f() { k<<<1, 2>>; }", 3, ">>>"),
        ("\nvoid f() { k<<<1, 2>>>; }", 2, ">>>"),
        ("void f() { k<<<1, 2; }", 1, ">>>"),
        ("void f() { k<<<>>>(x); }", 1, "grid"),
        ("void f() { k<<<1, 2>>>(x; }", 1, "closed"),
        ("void f() { (flag ? a : b)<<<1, 2>>>(x); }", 1, "name"),
        ("void f() { return <<<1, 2>>>(x); }", 1, "name"),
        ("void f() { object.k<<<1, 2>>>(x); }", 1, "member"),
        ("void f() { this->k<3><<<1, 2>>>(x); }", 1, "member"),
        ("int a;\n__shared__ float x[4];", 2, "into the kernel"),
        ("namespace a::b {\nextern __shared__ float x[];\n}", 2, "into the kernel"),
        ('extern "C" {\n__shared__ float x;\n}', 2, "into the kernel"),
        ("#define TILE(n) \\\n  __shared__ float tile[n]\n", 2, "macro"),
        ("void f() {\n  __shared__ float x = 3;\n}", 2, "'='"),
        ("void f() {\n  __shared__ struct { int a; } x;\n}", 2, "'{'"),
        ("void f() {\n  __shared__ float (*x)[4];\n}", 2, "name"),
        ("void f() {\n  __shared__ float;\n}", 2, "name"),
        ("void f() {\n  __shared__ x;\n}", 2, "type"),
        ("void f() {\n  __shared__ float x[];\n}", 2, "extern"),
        ("void f() {\n  extern __shared__ float x[4];\n}", 2, "extern"),
        ("void f() {\n  extern __shared__ float x;\n}", 2, "extern"),
        ("void f() {\n  __shared__ float x[4]\n}", 3, "'}'"),
        ("void f() {\n  __shared__ float x[4;\n}", 2, "closed"),
        ("void f() {\n  __shared__ float x", 2, "end"),
    ],
)
def test_refuses_in_one_sentence_with_the_line(text: str, line: int, word: str) -> None:
    message = refusal(text)
    assert re.fullmatch(rf"file\.cu:{line}: [^\n]*\.", message), message
    assert word in message


def test_quotes_the_path_for_the_compiler() -> None:
    translated = translator().translate("int a;\n", 'a"b\\c.cu')
    assert '#line 1 "a\\"b\\\\c.cu"\nint a;\n' in translated


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SIMT / "translate.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_command_writes_the_translation(tmp_path: Path) -> None:
    source, target = tmp_path / "in.cu", tmp_path / "out.cpp"
    source.write_text("void f() { k<<<1, 2>>>(); }\n")
    done = run(source, target)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert target.read_text() == translator().translate(source.read_text(), str(source))


def test_command_exits_with_2_and_the_sentence(tmp_path: Path) -> None:
    source, target = tmp_path / "in.cu", tmp_path / "out.cpp"
    source.write_text("int a;\n__shared__ int b;\n")
    done = run(source, target)
    assert done.returncode == 2
    assert done.stderr == f"{source}:2: move this __shared__ variable into the kernel.\n"
    assert not target.exists()
    assert run(tmp_path / "missing.cu", target).returncode == 2


@pytest.mark.skipif(compiler() is None, reason="no C++ compiler on this machine")
def test_compiler_errors_name_the_line_of_the_cu_file(tmp_path: Path) -> None:
    source = tmp_path / "broken.cu"
    source.write_text(
        """\
template <int N> __global__ void k(float* x, int n) {
  __shared__ float a[N],
      b;
  extern __shared__ float c[];
  x[0] = a[0] + b + c[0] + n;
}
void f(float* x) {
  k<4><<<dim3(1,
              2), 3>>>(
      x, 5);
  undeclared_name;
}
"""
    )
    with pytest.raises(CompileError) as raised:
        compile_cu(source, tmp_path / "broken.so", "-fsyntax-only")
    errors = [line for line in str(raised.value).splitlines() if "error:" in line]
    assert len(errors) == 1
    assert errors[0].startswith(f"{source}:11:")
    assert "undeclared_name" in errors[0]
