"""The picture of a report that README and docs open with.

    python -m tools.report_picture OUT/report.html

Takes the first screen of a page that ``fqbench run`` wrote, in the system's chromium, and writes
``docs/pictures/report.png``. Needs the extra ``dev``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1200, 1150
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
        opened = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        opened.goto(page.absolute().as_uri())
        opened.screenshot(path=PICTURE)
        browser.close()
    print(f"Written: {PICTURE}")


if __name__ == "__main__":
    main()
