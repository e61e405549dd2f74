"""The marks of tests name requirements that exist, and the table shows them."""

import re
from pathlib import Path

from tools import requirements_table
from tools.requirements_table import PAGE, page, requirements, shown

NUMBERS = {one.number for _, listed in requirements().values() for one in listed}


def test_every_mark_names_a_requirement():
    unknown = [f"{found.path}:{found.line}: {found.number}" for found in shown() if found.number not in NUMBERS]
    assert unknown == []


def test_the_numbers_run_without_a_gap():
    for document, (_, listed) in requirements().items():
        assert [one.number for one in listed] == [f"{document}.{i}" for i in range(1, len(listed) + 1)]
        assert {one.mark for one in listed} <= {"C", "S", "X"}


def test_the_page_lists_every_requirement_and_was_made_of_the_marks():
    assert re.findall(r"^\| (R\d+\.\d+) \|", page(), re.MULTILINE) == [
        one.number for _, listed in requirements().values() for one in listed
    ]
    assert PAGE.read_text() == page(), "run `make docs`"


def test_marks_of_functions_classes_modules_and_parameters_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(requirements_table, "ROOT", tmp_path)
    (tmp_path / "test_one.py").write_text(
        "import pytest\n"
        "pytestmark = [pytest.mark.slow, pytest.mark.req('R1.1')]\n"
        "@pytest.mark.req('R1.2', 'R1.3')\n"
        "def test_a(): ...\n"
        "@pytest.mark.req('R1.4')\n"
        "class TestB:\n"
        "    @pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.req('R1.5'))])\n"
        "    def test_b(self, x): ...\n"
        "def helper(): ...\n"
    )
    found = [(one.test, one.number, one.path) for one in shown(Path(tmp_path))]
    assert found == [
        *(("test_a", number, "test_one.py") for number in ("R1.1", "R1.2", "R1.3")),
        *(("test_b", number, "test_one.py") for number in ("R1.1", "R1.4", "R1.5")),
    ]
