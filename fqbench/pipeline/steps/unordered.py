"""Models as they are before their rows are put in order, so that they can be compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fqbench.steps.reading import GRAPH, load_graph, save_graph

if TYPE_CHECKING:
    import onnx

UNORDERED = "unordered"
"""The folder, in that of a model which is no ONNX graph, of the same model without its order."""


def write_unordered(
    model: onnx.ModelProto, write: Callable[[onnx.ModelProto, Path], object], folder: Path
) -> None:
    """Let ``write`` write what ``model`` is before rows are put in order into a folder of
    ``folder``, where something is and ``folder`` holds no ONNX graph, which can be cut itself."""
    from fqbench.graph.ordering import unordered

    before = unordered(model)
    if before is not model and not (folder / GRAPH).is_file():
        (folder / UNORDERED).mkdir()
        write(before, folder / UNORDERED)


def unordered_folders(fp32: Path, int8: Path, scratch: Path) -> tuple[Path, Path]:
    """Folders of both models that end before their rows are put in order.

    Beside them, or of ONNX graphs cut in ``scratch``; the models' own where nothing is put in
    order, or one of them cannot be cut.
    """
    from fqbench.graph.ordering import ending_in, unordered

    beside = fp32 / UNORDERED, int8 / UNORDERED
    if all(folder.is_dir() for folder in beside):
        return beside
    if not all((folder / GRAPH).is_file() for folder in (fp32, int8)):
        return fp32, int8
    model, form = load_graph(fp32), load_graph(int8)
    judged = unordered(model)
    names = [value.name for value in judged.graph.output]
    written = {name for node in form.graph.node for name in node.output}
    if judged is model or not written.issuperset(names):
        return fp32, int8
    made = {"model": judged, "form": ending_in(form, names)}
    for name, graph in made.items():
        (scratch / name).mkdir()
        save_graph(graph, scratch / name)
    return scratch / "model", scratch / "form"
