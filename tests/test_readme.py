"""What the READMEs say: their code runs, their table is the measured one, every folder has one."""

from __future__ import annotations

import platform
import re
import runpy
import subprocess
import sys
from pathlib import Path

import baregrad as bg
import pytest
from baregrad import _cpu, backend
from toolchain import compiler

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_its_python_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code) == 2
    bg.manual_seed(0)
    scope: dict[str, object] = {}
    for block in code:
        exec(block, scope)  # noqa: S102  it is our own README
    printed = capsys.readouterr().out
    assert float(re.search(r"accuracy=([\d.]+)", printed)[1]) > 0.9  # type: ignore[index]
    assert float(printed.split()[-1]) < 1e-4
    assert len(code[0].strip().splitlines()) <= 16


@pytest.mark.parametrize("use", ["reference", "sim", "isa=baseline", "gemm=ladder/naive"])
def test_the_example_trains_on_every_backend(
    use: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if "ladder" in use and compiler() is None:
        pytest.skip("needs a C++ compiler")
    if use == "sim" and (why := backend.why_absent("sim")):
        pytest.skip(f"sim is not here: {why}")
    script = str(ROOT / "examples" / "train_digits.py")
    monkeypatch.setattr(sys, "argv", [script, "sim" if use == "sim" else "cpu"])
    try:
        if use != "sim":
            bg.use(use)
        runpy.run_path(script)
    finally:
        bg.use("cpu")
    last = capsys.readouterr().out.splitlines()[-1]
    assert float(last.rsplit(" ", 1)[1].rstrip("%")) > 90


def test_its_make_commands_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?make (\w+)`", README)) <= targets


def test_its_table_is_the_one_that_was_measured() -> None:
    peak = runpy.run_path(str(ROOT / "bench" / "peak.py"))
    between = README.split(peak["BEGIN"])[1].split(peak["END"])[0]
    assert between.strip() == peak["table"](peak["latest"]())


def test_its_platforms_are_those_that_are_built_and_tested() -> None:
    table = re.findall(r"^\| ([^|]+) \| ([^|]*) \| ([^|]*) \| ([^|]+) \|$", README, re.MULTILINE)
    states = ("tested in CI", "built, not yet run", "not yet")
    rows = {name: (isas, state) for name, isas, _, state in table if state in states}
    run = (ROOT / ".ci" / "run").read_text()
    for name in ("g++", "clang++"):
        isas, state = rows[f"Linux x86-64, {name}"]
        assert (state == "tested in CI") == (name in run)
        if platform.machine() == "x86_64":
            assert set(_cpu.available()) <= set(isas.split(", "))
    state = rows["Linux aarch64, under qemu"][1]
    assert (state == "tested in CI") == ("deep.aarch64 selftest" in run)
    jobs = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    for name in re.findall(r"- name: ([^,\n]+)", jobs):
        assert any(row.startswith(name) for row in rows), name
    wheels = re.findall(r'"cp31\[0-4\]-([^"]+)"', (ROOT / "pyproject.toml").read_text())
    here = {"manylinux_x86_64": "Linux x86-64, g++", "manylinux_aarch64": "Linux aarch64, under qemu",
            "macosx_arm64": "macOS arm64"}  # fmt: skip
    assert {here[wheel] for wheel in wheels} <= set(rows)


def test_the_tables_of_the_ladders_are_those_that_were_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    ladder = runpy.run_path(str(ROOT / "bench" / "ladder.py"))
    between = ladder["README"].read_text().split(ladder["BEGIN"])[1].split(ladder["END"])[0]
    assert between.strip() == ladder["text"](ladder["latest"]())


def test_the_files_it_names_exist() -> None:
    named = set(re.findall(r"`([\w/.]+/[\w.]+\.(?:py|h|cu|cpp|md|pyi))`", README))
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_folder_has_a_readme() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("needs the git checkout")
    folders = {Path(f).parent for f in listed.stdout.splitlines() if not f.startswith(".")}
    folders = {f for f in folders if f.parent != Path("tests/corpus")}  # damaged files, by kind
    assert sorted(str(f) for f in folders if not (ROOT / f / "README.md").exists()) == []
