"""`docs/faults.md` equals the generated page and names only existing tests."""

import ast
from pathlib import Path

import pytest

from tests.faults.document import CRASHES, MATRIX, OTHERS, PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.faults.document"


@pytest.mark.parametrize("test", [MATRIX, CRASHES, *(test for _, _, test in OTHERS)])
def test_each_named_test_exists(test: str) -> None:
    file, _, name = test.partition("::")
    tree = ast.parse((Path(__file__).parent / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
