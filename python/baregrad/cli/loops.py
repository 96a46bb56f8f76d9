"""The loops of assembly, wherever the compiler has put their parts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence, Set as AbstractSet
from dataclasses import dataclass, field

from ..instructions import Counts, goes_on, jumps_to, split

_COMMENT = re.compile(r"^#.*|\s(?:#+\s|//|;).*")  # on aarch64 "#" begins a number
_LOCAL = re.compile(r"\.L|L(BB|func|tmp|loh)\w*\d")  # a label in a function; macOS writes no dot

_Work = tuple[int, int, int]


@dataclass
class _Block:
    """Lines that run one after another: labels at the beginning, a jump at most at the end."""

    function: str
    lines: list[str] = field(default_factory=list)
    is_entry: bool = False
    before: set[int] = field(default_factory=set)  # the blocks that may run just before it

    @property
    def work(self) -> _Work:
        """Float arithmetic by vectors; by all instructions; how often to memory."""
        counts = Counts.of(self.lines)
        return counts.vector_flops, counts.flops, counts.loads + counts.other["stores"]


@dataclass(frozen=True)
class Loop:
    """The parts of a loop, each without a gap, but for the loops inside."""

    function: str  # the symbol of the one that it is in
    parts: tuple[tuple[str, ...], ...]
    always: int  # how many of its instructions run in every turn
    work: _Work  # of the turn that does most

    @property
    def counts(self) -> Counts:
        """What is in it."""
        return Counts.of(line for part in self.parts for line in part)

    @property
    def rank(self) -> tuple[float, _Work]:
        """Float arithmetic by vectors for each time that it goes to memory; then, how much it does."""
        return self.work[0] / max(1, self.work[2]) if self.work[2] else 0.0, self.work

    def is_of(self, kind: str) -> bool:
        """Whether it is in what is made for one kind of unary: a type of that name, if any."""
        return f"5kinds{len(kind)}{kind}E" in self.function if kind else True

    def __str__(self) -> str:
        listing = "    ...\n".join("".join(map(_laid_out, part)) for part in self.parts)
        counts = self.counts
        some = (
            "" if self.always == counts.instructions else f", {self.always} of them in every turn"
        )
        return f"{listing}\n{str(counts).replace(':', f'{some}:')}"


def innermost(assembly: str) -> list[Loop]:
    """The loops that have no other inside, but for one without floats, as copies of bytes leave."""
    blocks = _blocks(assembly)
    bodies: dict[int, set[int]] = defaultdict(set)
    for head, block in enumerate(blocks):
        for last in block.before:
            bodies[head] |= _body(blocks, head, last)
    found = []
    for head, body in bodies.items():
        inside = set[int]().union(*(other for other in bodies.values() if other < body))
        if body and not any(any(blocks[number].work) for number in inside):
            found.append(_loop(blocks, head, body, body - inside))
    return found


def _blocks(assembly: str) -> list[_Block]:
    blocks, labels = [_Block("")], dict[str, int]()
    for raw in assembly.splitlines():
        line = _COMMENT.sub("", raw).strip()
        label = line.removesuffix(":") if line.endswith(":") else ""
        if not line or (line.startswith(".") and not label):
            continue
        lines = blocks[-1].lines
        if lines and (jumps_to(lines[-1]) if not label else not lines[-1].endswith(":")):
            blocks.append(_Block(blocks[-1].function))
        block = blocks[-1]
        block.lines.append(line)
        if label:
            labels[label] = len(blocks) - 1
            if not _LOCAL.match(label):
                block.function, block.is_entry = label, not label.endswith(".cold")
    for number, block in enumerate(blocks):
        last = block.lines[-1] if block.lines else ""
        if (target := labels.get(jumps_to(last))) is not None:
            blocks[target].before.add(number)
        if goes_on(last) and number + 1 < len(blocks) and not blocks[number + 1].is_entry:
            blocks[number + 1].before.add(number)
    return blocks


def _body(blocks: Sequence[_Block], head: int, last: int) -> AbstractSet[int]:
    """What may run between a head and a block that goes back to it; empty if that is no loop."""
    body, turns, waiting = {head, last}, head == last, [last] if last != head else []
    while waiting:
        block = blocks[waiting.pop()]
        if block.is_entry:
            return set()  # it is reached past the head
        turns |= head in block.before
        fresh = block.before - body
        body |= fresh
        waiting += fresh
    return body if turns else set()


def _loop(blocks: Sequence[_Block], head: int, body: set[int], own: set[int]) -> Loop:
    parts: list[list[str]] = []
    always = 0
    for number in sorted(own):
        lines = blocks[number].lines
        if number - 1 not in own:
            parts.append([])
        parts[-1] += lines
        if not _goes_without(blocks, head, body, number):
            always += sum(not line.endswith(":") for line in lines)
    work = _most_work(blocks, head, body, own)
    return Loop(blocks[head].function, tuple(map(tuple, parts)), always, work)


def _goes_without(blocks: Sequence[_Block], head: int, body: set[int], block: int) -> bool:
    """Whether there is a turn of a loop that does not come by a block."""
    met, waiting = {block}, list((blocks[head].before & body) - {block})
    while waiting and head not in met:
        met.add(one := waiting.pop())
        waiting += (blocks[one].before & body) - met
    return block != head and head in met


def _most_work(blocks: Sequence[_Block], head: int, body: set[int], own: set[int]) -> _Work:
    """The work of the turn that does most; loops inside count for nothing."""
    nothing = (0, 0, 0)
    work = {number: blocks[number].work if number in own else nothing for number in body}
    most = {head: work[head]}
    for _ in body:  # as long as a way through all of them may be
        before = dict(most)
        for number in sorted(body - {head}):
            ways = [most[one] for one in blocks[number].before if one in most]
            if ways:
                a, b = max(ways), work[number]
                most[number] = (a[0] + b[0], a[1] + b[1], a[2] + b[2])
        if most == before:
            break
    return max(most[last] for last in blocks[head].before if last in most)


def _laid_out(line: str) -> str:
    return f"{line}\n" if line.endswith(":") else "    {:<12} {}\n".format(*split(line))
