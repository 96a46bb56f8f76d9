"""docs/conventions.md: every number in it is computed."""

from __future__ import annotations

import doctest
from pathlib import Path


def test_the_examples_of_conventions_give_what_they_say() -> None:
    page = Path(__file__).parent.parent / "docs" / "conventions.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 30
    assert result.failed == 0
