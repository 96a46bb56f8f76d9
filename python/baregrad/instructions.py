"""What instructions do, by their names: those of x86-64 in Intel's syntax, and those of aarch64."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# Arithmetic on floats: one operation for each number, a multiply-add two.
_ARITHMETIC = {
    "multiply-adds": r"vfn?m(add|sub|addsub|subadd)\d{3}[ps][sd]|fml[as]|fn?m(add|sub)",
    "multiplications": r"v?mul[ps][sd]|fn?mul",
    "additions": r"v?(add|sub|addsub|hadd|hsub)[ps][sd]|f(add|addp|sub|abd)",
    "divisions": r"v?div[ps][sd]|fdiv",
    "square roots": r"v?sqrt[ps][sd]|fsqrt",
    "comparisons": r"v?(cmp\w*|max|min|u?comi)[ps][sd]|f(max|min|ac|cm|ccmp)\w*",
}
_OTHER_KINDS = (
    *("loads", "broadcasts", "stores", "integer loads", "integer stores"),
    *("calls", "others"),
)
_BYTES = {"x": 16, "y": 32, "z": 64}

_JUMP = r"j\w+|b(\.?([hg]i|eq|ne|c[cs]|hs|lo|mi|pl|v[cs]|ls|[gl][et]))?|br|cbn?z|tbn?z"
_LEAVES = r"jmp|br?|ret\w*|ud2|brk|hlt"
_PREFIX = r"notrack|bnd|lock|rep\w*"
_CALL = r"call|blr?"
# aarch64 names what goes to memory and back; on x86-64 almost any operand may be in memory. As the
# first one it is written, by some instructions after reading it, and by a few only read.
_AARCH64 = r"(ld|st)([1-4]r?|[prux]\w*|np|a\w+|l\w+)"
_NO_ACCESS = rf"lea|nop\w?|prefetch\w+|clflush\w*|prfu?m|{_JUMP}|{_CALL}"
_CHANGES = r"add|sub|adc|sbb|and|or|xor|inc|dec|not|neg|sh[lr]|sa[lr]|ro[lr]"
_READS = r"cmp|test|bt|i?mul|i?div|push"


@dataclass
class Counts:
    """How many instructions there are, and how many of each kind: an addition may load, too.

    Loads and stores are those of floats and vectors, broadcasts loads that fill a vector with one
    number; what goes to and from other registers is an integer.
    """

    instructions: int = 0
    flops: int = 0
    vector_flops: int = 0
    arithmetic: Counter[tuple[str, str]] = field(default_factory=Counter)  # the kind, "8 floats"
    other: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, lines: Iterable[str]) -> Counts:
        """The counts of lines of assembly, of which those that end in a colon are labels."""
        counts = cls()
        for line in lines:
            if not line.endswith(":"):
                counts._add(*split(line))
        return counts

    def _add(self, name: str, operands: str) -> None:
        self.instructions += 1
        accesses = list(_accesses(name, operands))
        self.other.update(accesses)
        for kind, pattern in _ARITHMETIC.items():
            if re.fullmatch(pattern, name):
                lanes, number = _numbers(name, operands)
                self.arithmetic[kind, f"{lanes} {number}{'s' * (lanes > 1)}"] += 1
                flops = lanes * (2 if kind == "multiply-adds" else 1)
                self.flops += flops
                self.vector_flops += flops * (lanes > 1)
                return
        if re.fullmatch(_CALL, name):
            self.other["calls"] += 1
        elif not accesses:
            self.other["others"] += 1

    @property
    def loads(self) -> int:
        """Loads, and broadcasts from memory."""
        return self.other["loads"] + self.other["broadcasts"]

    def __str__(self) -> str:
        parts = []
        for numbers in dict.fromkeys(numbers for _, numbers in self.arithmetic):
            kinds = [kind for kind in _ARITHMETIC if (kind, numbers) in self.arithmetic]
            counted = [_plural(self.arithmetic[kind, numbers], kind) for kind in kinds]
            parts.append(f"{', '.join(counted)} of {numbers}")
        shown = [kind for kind in _OTHER_KINDS if self.other[kind] or kind in ("loads", "stores")]
        parts += [_plural(self.other[kind], kind) for kind in shown]
        return (
            f"{', '.join(parts)} in {_plural(self.instructions, 'instructions')}: "
            f"{_plural(self.flops, 'flops')} for {_plural(self.loads, 'loads')}"
        )


def split(line: str) -> tuple[str, str]:
    """The name of an instruction, and its operands."""
    name, *operands = re.sub(rf"^({_PREFIX})\s", "", line).split(None, 1)
    return name, operands[0] if operands else ""


def jumps_to(line: str) -> str:
    """The label that an instruction may go on at; nothing if it is no jump."""
    name, operands = split(line)
    return re.split(r"[\s,]+", operands)[-1] if re.fullmatch(_JUMP, name) else ""


def goes_on(line: str) -> bool:
    """Whether what stands behind an instruction may run after it."""
    return not re.fullmatch(_LEAVES, split(line)[0])


def _plural(count: int, kinds: str) -> str:
    return f"{count} {kinds if count != 1 else kinds[:-1]}"


def _numbers(name: str, operands: str) -> tuple[int, str]:
    """How many numbers an instruction of arithmetic works on, and of which type."""
    if vector := re.search(r"\bv\d+\.(\d*)([sd])", operands):  # aarch64
        return int(vector[1] or 1), "float" if vector[2] == "s" else "double"
    if widths := re.findall(r"\b([xyz])mm\d", operands):
        size, number = (4, "float") if name.endswith("s") else (8, "double")
        packed = name[-2] == "p"
        return max(_BYTES[width] for width in widths) // size if packed else 1, number
    return 1, "float" if re.match(r"s\d", operands) else "double"


def _accesses(name: str, operands: str) -> Iterator[str]:
    operands = re.sub(r"\.[bhsd]\[\d+\]", "", operands)  # a number of a vector, on aarch64
    if "[" not in operands or re.fullmatch(_NO_ACCESS, name):
        return
    if re.fullmatch(_AARCH64, name):
        yield from _registers(name, operands.partition("[")[0])
        return
    first, _, others = operands.partition(",")
    integer = "" if re.search(r"\b([xyz]mm|k)\d", operands) else "integer "
    if "[" in others and ("broadcast" in name or "{1to" in others or name.endswith("movddup")):
        yield "broadcasts"
    elif "[" in others or re.fullmatch(f"{_READS}|{_CHANGES}", name):
        yield f"{integer}loads"
    if "[" in first and not re.fullmatch(_READS, name):
        yield f"{integer}stores"


def _registers(name: str, registers: str) -> Iterator[str]:
    """On aarch64 a load or a store for each register that is named."""
    named = re.findall(r"\b(?:[a-z]\d+|[wx]zr)", registers)
    count = int(named[-1][1:]) - int(named[0][1:]) + 1 if " - " in registers else len(named)
    integer = "integer " if named[0][0] in "wx" else ""
    what = "stores" if name.startswith("st") else "loads"
    yield from ["broadcasts" if re.fullmatch(r"ld\dr", name) else f"{integer}{what}"] * count
