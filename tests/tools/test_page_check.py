"""How large pages are: the check itself, and a page of 5000 images."""

from __future__ import annotations

from pathlib import Path

import pytest

from fqbench.examine.record import MOST
from tools import page_check


@pytest.mark.slow
def test_a_report_of_5000_images_keeps_the_worst_and_is_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = page_check.images()
    assert all(row.images == 5000 for row in case.results.rows)
    assert sum(map(len, case.broken.cells.values())) == MOST
    page = page_check.made("images", case, tmp_path)
    assert page.read_text("utf-8").count("data:image/jpeg") == 2 * MOST
    assert page_check.judged([page], look=False)
    monkeypatch.setattr(page_check, "LARGEST_MB", 0.1)
    assert not page_check.judged([page], look=False)
    assert "of the CPU" in capsys.readouterr().out


@pytest.mark.slow
def test_pictures_are_as_many_however_many_cells_break() -> None:
    case = page_check.matrix()
    assert len(case.results.rows) == 60
    assert sum(map(len, case.broken.cells.values())) == MOST
