"""The picture of a report that README and docs open with.

    python -m tools.report_picture OUT/report.html

Takes a page that ``fqbench run`` wrote in the system's chromium, from its top to the end of its
table, and writes ``docs/pictures/report.png``. Needs the extra ``dev``.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH = 1280
MOST = 1600
"""Pixels from the top, where the table is long."""

PATIENCE = 120_000
"""Milliseconds, on a machine that is busy."""

PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "report.png"


def main() -> None:
    parser = argparse.ArgumentParser("python -m tools.report_picture")
    parser.add_argument("page", type=Path, help="a report.html")
    page = parser.parse_args().page
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("there is no chromium: install it, as with apt-get install chromium")
    if not page.is_file():
        sys.exit(f"{page} is no file: name the report.html of a run")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=arguments)
        opened = browser.new_page(viewport={"width": WIDTH, "height": MOST}, color_scheme="light")
        opened.set_default_timeout(PATIENCE)
        opened.goto(page.absolute().as_uri())
        table = opened.locator("#table").bounding_box()
        end = MOST if table is None else min(MOST, math.ceil(table["y"] + table["height"]))
        PICTURE.parent.mkdir(exist_ok=True)
        opened.screenshot(path=PICTURE, clip={"x": 0, "y": 0, "width": WIDTH, "height": end})
        browser.close()
    print(f"Written: {PICTURE}")


if __name__ == "__main__":
    main()
