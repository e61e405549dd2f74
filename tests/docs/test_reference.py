"""The reference says what the code's tables say: `python -m tools.reference` makes it."""

import pytest

from tools.reference import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_tables_make_of_it(name):
    written = (FOLDER / name).read_text() if (FOLDER / name).is_file() else ""
    assert written == PAGES[name](), "run `make docs`"


def test_the_folder_holds_no_other_page_but_the_one_that_is_written_by_hand():
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted([*PAGES, "rule-language.md"])
