"""What test_gpu.py runs in a child process, on a GPU."""

from pathlib import Path

import numpy as np

from fqbench.backends.cuda import open_cuda
from fqbench.backends.tensorrt.binding import Names
from fqbench.backends.tensorrt.engine import Sizes, build
from fqbench.backends.tensorrt.library import LIBRARIES
from fqbench.backends.tensorrt.session import Session
from fqbench.errors import StepError

RUNS = 4


def run_engine(arguments, report):
    """Build the model in ``folder``, run it with and without a CUDA graph; write its outputs.

    Returns for each whether a graph was refused, and split times in milliseconds, run by run.
    """
    folder, library = Path(arguments["folder"]), LIBRARIES[arguments["backend"]]
    names = Names(tuple(arguments["inputs"]), tuple(arguments["outputs"]))
    plan = build(library, (folder / "model.onnx").read_bytes())
    images = np.load(folder / "images.npy")
    told = {}
    for way, graphs in (("plain", False), ("graph", True)):
        session = Session(
            library.load(), library.name, plan, open_cuda(), names=names, graphs=graphs
        )
        outputs = [session.run([image]) for image in images]
        for number, name in enumerate(names.outputs):
            np.save(folder / f"{way}_{name}.npy", np.stack([output[number] for output in outputs]))
        splits = [session.split([images[0]]) for _ in range(RUNS)]
        told[way] = {
            "no_graph": session.no_graph,
            "splits": [[s.host_to_device, s.compute, s.device_to_host, s.total] for s in splits],
        }
        session.close()
    return told


def run_batches(arguments, report):
    """Run the model in ``folder`` with each of ``batches``; write the outputs.

    Returns why no CUDA graph is used.
    """
    folder, library = Path(arguments["folder"]), LIBRARIES[arguments["backend"]]
    images, outputs = np.load(folder / "images.npy")[:, 0], tuple(arguments["outputs"])
    shapes = [(batch, *images.shape[1:]) for batch in (1, 2, max(arguments["batches"]))]
    sizes = {name: Sizes(*shapes) for name in arguments["inputs"]}
    plan = build(library, (folder / "model.onnx").read_bytes(), sizes=sizes)
    names = Names(tuple(arguments["inputs"]), outputs)
    session = Session(library.load(), library.name, plan, open_cuda(), names=names)
    for batch in arguments["batches"]:
        for name, value in zip(outputs, session.run([images[:batch]]), strict=True):
            np.save(folder / f"{batch}_{name}.npy", value)
    session.close()
    return session.no_graph


def load_broken(arguments, report):
    """What is said of engines whose bytes are cut or changed; None where one is loaded."""
    folder, library = Path(arguments["folder"]), LIBRARIES[arguments["backend"]]
    plan = build(library, (folder / "model.onnx").read_bytes())
    said = []
    for broken in (plan[: len(plan) // 2], b"\x00" * 64 + plan[64:], b""):
        try:
            Session(library.load(), library.name, broken, open_cuda()).close()
            said.append(None)
        except StepError as error:
            said.append(str(error))
    return said
