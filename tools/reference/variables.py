"""Environment variables that fqbench reads; a test holds the list to the code."""

from __future__ import annotations

from collections.abc import Mapping

from tools.reference.markdown import NOTE, code, table

VARIABLES: Mapping[str, str] = {
    "FQBENCH_DATA": "the data root, where `--data-root` is not given: where relative paths of specs"
    " start and fetched files are",
    "FQBENCH_CACHE": "where artifacts are kept; else a folder of the user's cache",
    "FQBENCH_ENVIRONMENTS": "where environments of runtimes are made; else a folder of the user's"
    " data",
    "FQBENCH_HISTORY": "where what runs measured is kept; else a folder of the user's data",
    "FQBENCH_MIRROR": "the address that `fqbench fetch` takes files from, where `--mirror` is not"
    " given",
}

OTHERS: Mapping[str, str] = {
    "NO_COLOR": "set to anything: no colours in a terminal",
    "COLUMNS": "the width that tables are made for, where it is not that of a terminal",
    "CUDA_VISIBLE_DEVICES": "which GPU is used; CUDA reads it too",
    "CUDA_DEVICE_ORDER": "how CUDA counts GPUs; has to be `PCI_BUS_ID` where it is set",
}


def page() -> str:
    """The page, in Markdown."""
    listed = {**VARIABLES, **OTHERS}
    rows = [(code(name), meaning) for name, meaning in listed.items()]
    note = (
        "Those that pip, the shells and the runtimes read themselves are read as ever. Machines are"
        " recorded with variables that hide instruction sets from runtimes."
    )
    return "\n\n".join([NOTE, "# Variables", table(("variable", "meaning"), rows), note]) + "\n"
