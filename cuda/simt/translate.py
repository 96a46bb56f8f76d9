"""Rewrite CUDA C++ as plain C++ that a host compiler reads against the simulator.

Three things of the CUDA language are not C++ and cannot be made so by a header:

    kernel<<<grid, block, bytes, stream>>>(arguments);
    __shared__ float tile[16][17], total;
    extern __shared__ float rows[];

(and ``__noinline__``, a word that the C library uses for itself). Everything else is left as it
is, and so is every line break: what the compiler or the simulator says about line 41 of the
result is about line 41 of the .cu file.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import NamedTuple

TOKEN = re.compile(
    r"""
    (?P<comment> //(?:\\\n|[^\n])* | /\*.*?\*/ )
  | (?P<literal> (?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)"
               | (?:u8|[uUL])?"(?:\\.|[^"\\\n])*"
               | (?:u8|[uUL])?'(?:\\.|[^'\\\n])*' )
  | \.?\d(?:[eEpP][+-]|'?\w|\.)*   # a number: the quotes in 1'000 open nothing
  | [A-Za-z_]\w*
    """,
    re.VERBOSE | re.DOTALL,
)
DIRECTIVE = re.compile(r"^[ \t]*\#(?:\\\n|[^\n])*", re.MULTILINE)
PAIRS = {"(": ")", "[": "]", "{": "}"}
BRACKET = re.compile(r"[()\[\]{}]")
LAUNCH_END = re.compile(r"[()\[\]{};]|>{3,}(?=\s*\()")
DECLARATION_MARK = re.compile(r"[()\[\]{};,=]|<<|[<>]")
ALIGNMENT = re.compile(r"\b(?:alignas|__align__|__attribute__)\s*(?=\()")
STORAGE = re.compile(r"\b(?:__shared__|extern|static)\b")
NAMESPACE = re.compile(r"\bnamespace\b[^;{}()]*\Z|\bextern\s*\Z")
LAST_WORD = re.compile(r"[A-Za-z_]\w*\Z")
KEYWORD = re.compile(
    "auto|bool|case|char|co_return|const|do|double|else|float|goto|int|long|return|short|signed|"
    "throw|unsigned|void|volatile"
)


class Edit(NamedTuple):
    """The characters from start to end become the text."""

    start: int
    end: int
    text: str


def blank(text: str) -> str:
    """As many characters and line breaks, and nothing else."""
    return re.sub(r"[^\n]", " ", text)


def mask(text: str, *kinds: str) -> str:
    """The text with its comments or literals, or both, turned into blanks."""

    def blanked(token: re.Match[str]) -> str:
        return blank(token.group()) if token.lastgroup in kinds else token.group()

    return TOKEN.sub(blanked, text)


def mask_directives(code: str) -> str:
    """The code with #include, #define and their like turned into blanks."""
    return DIRECTIVE.sub(lambda directive: blank(directive.group()), code)


class Translator:
    """One file: its text, what of that is code, and the edits found so far."""

    def __init__(self, text: str, path: str) -> None:
        """Mask `text`, which `path` contains."""
        self.text = text
        self.path = path
        self.without_comments = mask(text, "comment")
        self.code = mask(text, "comment", "literal")
        self.statements = mask_directives(self.code)
        self.edits: list[Edit] = []

    def translate(self) -> str:
        """The text with all edits made."""
        for word in re.finditer(r"\b__noinline__\b", self.code):
            self.edits.append(Edit(*word.span(), "__attribute__((noinline))"))
        for opening in re.finditer("<<<", self.code):
            self.translate_launch(opening.start())
        for word in re.finditer(r"\b__shared__\b", self.code):
            self.translate_shared(word.start())
        pieces = []
        position = 0
        for edit in sorted(self.edits):
            pieces += [self.text[position : edit.start], edit.text]
            position = edit.end
        return "".join([*pieces, self.text[position:]])

    def error(self, position: int, sentence: str) -> ValueError:
        """The sentence, after the line of `position`."""
        line = self.text.count("\n", 0, position) + 1
        return ValueError(f"{self.path}:{line}: {sentence}")

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text`, of one line, where several lines may have been."""
        self.edits.append(Edit(start, end, text + "\n" * self.text.count("\n", start, end)))

    def closing(self, opening: int) -> int:
        """The position after the bracket that closes the one at `opening`."""
        expected: list[str] = []
        for bracket in BRACKET.finditer(self.code, opening):
            if bracket.group() in PAIRS:
                expected.append(PAIRS[bracket.group()])
            elif bracket.group() != expected.pop():
                break
            if not expected:
                return bracket.end()
        raise self.error(opening, f"this {self.code[opening]!r} is never closed.")

    def opening(self, end: int, pairs: str) -> int:
        """The position of the bracket opened by pairs[0] and closed by pairs[1] before `end`."""
        depth = 0
        position = end
        while position > 0:
            position -= 1
            character = self.code[position]
            if character == pairs[1]:
                depth += 1
            elif pairs == "<>" and character == ")":
                position = self.opening(position + 1, "()")
            elif pairs == "<>" and self.code.startswith("<<", position - 1):
                position -= 1  # a shift
            elif character == pairs[0]:
                depth -= 1
                if depth == 0:
                    return position
        raise self.error(end - 1, f"this {pairs[1]!r} closes nothing.")

    def translate_launch(self, position: int) -> None:
        """kernel<<<...>>>(...), with its <<< at `position`."""
        start = self.kernel_start(position)
        kernel = " ".join(self.without_comments[start:position].split())
        end = self.launch_end(position)
        if not self.code[position + 3 : end].strip():
            raise self.error(position, "a launch needs a grid and a block between <<< and >>>.")
        self.closing(self.code.index("(", end))
        quoted = kernel.replace("\\", "\\\\").replace('"', '\\"')
        self.replace(start, position + 3, f'::simt::Launch("{quoted}", ')
        call = f"{kernel}(launch_arguments...);"
        self.replace(end, end + 3, f").of([=](auto... launch_arguments) {{ {call} }})")

    def kernel_start(self, end: int) -> int:
        """Where the name before <<< begins, with its namespaces and template arguments."""
        position = end
        while True:
            position = len(self.code[:position].rstrip())
            if self.code.endswith(">", 0, position):
                position = len(self.code[: self.opening(position, "<>")].rstrip())
            word = LAST_WORD.search(self.code[:position])
            if word is None or KEYWORD.fullmatch(word.group()):
                raise self.error(end, "write the name of a kernel before <<<, not an expression.")
            position = start = word.start()
            before = self.code[:position].rstrip()
            if before.endswith((" template", ":template")):
                position = start = len(before) - len("template")
                before = self.code[:position].rstrip()
            if before.endswith((".", "->")):
                raise self.error(end, "a member cannot be launched: a kernel is a free function.")
            if not before.endswith("::"):
                return start
            position = len(before) - 2
            outer = self.code[:position].rstrip()
            last = LAST_WORD.search(outer)
            if not outer.endswith(">") and (last is None or KEYWORD.fullmatch(last.group())):
                return position  # ::kernel, from the global namespace

    def launch_end(self, position: int) -> int:
        """Where the >>> is that closes the <<< at `position`."""
        depth = 0
        for mark in LAUNCH_END.finditer(self.code, position):
            if mark.group().startswith(">"):
                if depth == 0:
                    return mark.end() - 3
            elif mark.group() in "([{":
                depth += 1
            elif mark.group() in ")]}":
                depth -= 1
            if depth < 0 or (depth == 0 and mark.group() == ";"):
                break
        raise self.error(position, "this <<< has no >>> followed by arguments in parentheses.")

    def translate_shared(self, position: int) -> None:
        """The declaration whose __shared__ stands at `position`."""
        if self.statements[position] == " ":
            raise self.error(position, "write __shared__ out in the kernel, not in a macro.")
        if self.is_at_namespace_scope(position):
            raise self.error(position, "move this __shared__ variable into the kernel.")
        start = self.declaration_start(position)
        marks = self.declaration_marks(position)
        end = marks[-1]
        is_extern = re.search(r"\bextern\b", self.code[start:end]) is not None
        alignments = self.remove_alignments(start, end)
        for word in STORAGE.finditer(self.code, start, end):
            self.edits.append(Edit(*word.span(), ""))
        first = start
        for mark in marks:
            self.translate_declarator(first, mark, is_extern, alignments, is_first=first == start)
            first = mark + 1

    def is_at_namespace_scope(self, position: int) -> bool:
        """Whether no brace around `position` is that of a function or a class."""
        opened: list[int] = []
        for brace in re.finditer(r"[{}]", self.statements[:position]):
            if brace.group() == "{":
                opened.append(brace.start())
            elif opened:
                opened.pop()
        return all(NAMESPACE.search(self.statements[:brace]) for brace in opened)

    def declaration_start(self, position: int) -> int:
        """Back over the words that may stand before __shared__, such as extern and alignas(16)."""
        while True:
            before = self.statements[:position].rstrip()
            if before.endswith(")"):
                opening = self.opening(len(before), "()")
                word = LAST_WORD.search(before[:opening].rstrip())
                if word is None or not ALIGNMENT.match(self.statements, word.start()):
                    return position
            elif before.endswith(">"):
                position = self.opening(len(before), "<>")
                continue
            elif before.endswith("::"):
                position = len(before) - 2
                continue
            else:
                word = LAST_WORD.search(before)
                if word is None:
                    return position
            position = word.start()

    def declaration_marks(self, position: int) -> list[int]:
        """The commas between the declarators, then the semicolon."""
        start = position
        marks: list[int] = []
        angles = 0
        while mark := DECLARATION_MARK.search(self.statements, position):
            token = mark.group()
            position = mark.end()
            if token in "([":
                position = self.closing(mark.start())
            elif token in "<>":
                angles += 1 if token == "<" else -1
            elif token == "," and angles == 0:
                marks.append(mark.start())
            elif token == ";" and angles == 0:
                return [*marks, mark.start()]
            elif token not in ",<<":
                raise self.error(position, f"no {token!r} can stand in a __shared__ declaration.")
        raise self.error(start, "this __shared__ declaration has no end.")

    def remove_alignments(self, start: int, end: int) -> list[str]:
        """Take alignas(16) and its like out of a declaration: a reference has no alignment."""
        found = []
        for word in ALIGNMENT.finditer(self.code, start, end):
            closing = self.closing(word.end())
            found.append(" ".join(self.without_comments[word.start() : closing].split()))
            self.replace(word.start(), closing, "")
        return found

    def translate_declarator(
        self, start: int, end: int, is_extern: bool, alignments: list[str], is_first: bool
    ) -> None:
        """Make `type name[dimensions]`, or all but the type, a reference to shared memory."""
        declarator = self.statements[start:end]
        for removed in ALIGNMENT.finditer(declarator):
            closing = self.closing(start + removed.end()) - start
            declarator = (
                declarator[: removed.start()]
                + blank(declarator[removed.start() : closing])
                + declarator[closing:]
            )
        declarator = STORAGE.sub(lambda word: blank(word.group()), declarator).rstrip()
        dimensions = start + len(declarator)
        while self.code.endswith("]", 0, dimensions):
            dimensions = start + len(self.code[start : self.opening(dimensions, "[]")].rstrip())
        word = LAST_WORD.search(declarator[: dimensions - start])
        if word is None or KEYWORD.fullmatch(word.group()):
            raise self.error(end, "cannot find the name in this __shared__ declaration.")
        before = declarator[: word.start()].strip()
        if not before if is_first else re.sub(r"\bconst\b|\bvolatile\b|[*\s]", "", before):
            raise self.error(end, "cannot tell type and name apart in this __shared__ declaration.")
        name = word.group()
        is_array = dimensions < start + len(declarator)
        is_unsized = re.match(r"\[\s*\]", self.code[dimensions:].lstrip()) is not None
        if is_unsized != is_extern:
            raise self.error(
                end,
                "a __shared__ array has empty brackets if it is extern, and only then.",
            )
        named = f"(&{name})" if is_array else f"&{name}"
        self.edits.append(Edit(start + word.start(), start + word.end(), named))
        storage = f'::simt::DynamicSharedArray("{name}")'
        if not is_extern:
            aligned = f"struct {' '.join(alignments)} Aligned {{}}; return alignof(Aligned);"
            body = aligned if alignments else "return 1;"
            storage = f'::simt::SharedArray("{name}", [] {{ {body} }})'
        position = start + len(declarator)
        self.edits.append(Edit(position, position, f" = {storage}"))


def translate(text: str, path: str) -> str:
    """CUDA C++ -> C++ whose lines are numbered as in `path`; ValueError where that cannot be."""
    quoted = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'#include <cuda_runtime.h>\n#line 1 "{quoted}"\n' + Translator(text, path).translate()


def main() -> int:
    """Translate the file that the command line names."""
    parser = argparse.ArgumentParser(description="Rewrite CUDA C++ for the simulator.")
    parser.add_argument("source", type=Path, help="a .cu file")
    parser.add_argument("target", type=Path, help="the .cpp file to write")
    options = parser.parse_args()
    try:
        translated = translate(options.source.read_text("utf-8"), str(options.source))
    except (OSError, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 2
    options.target.write_text(translated, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
