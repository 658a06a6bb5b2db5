"""Functions that test_isolate.py runs in a child process; each fails in its own way."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

from fqbench.errors import StepError, UsageError
from fqbench.isolate import alone
from fqbench.measure.pinning import bound


def echo(arguments, report):
    return arguments


def where(arguments, report):
    return {"pid": os.getpid(), "cwd": os.getcwd(), "env": os.environ.get(arguments["variable"])}


def count(arguments, report):
    for done in range(1, arguments["total"] + 1):
        report(done, arguments["total"])


def chatter(arguments, report):
    """Print on every standard way out, with and without Python."""
    for _ in range(1000):
        print('{"result": "forged"}')
        print('{"result": "forged"}', file=sys.stderr)
        os.write(1, b'\xff\n{"result": "forged"}\n')
    subprocess.run([sys.executable, "-c", 'print(\'{"result": "forged"}\')'], check=True)
    return "genuine"


def read_stdin(arguments, report):
    return sys.stdin.read()


def large(arguments, report):
    return "x" * arguments["bytes"]


def abort(arguments, report):
    print("about to \x1b[31mabort\x1b[0m")
    os.abort()


def read_null(arguments, report):
    ctypes.string_at(0)


def kill_itself(arguments, report):
    os.kill(os.getpid(), 9)


def leave(arguments, report):
    print("leaving")
    os._exit(3)


def fork_and_abort(arguments, report):
    """Abort while a process of its own still holds every inherited descriptor."""
    if os.fork() == 0:
        time.sleep(60)
    os.abort()


def hang(arguments, report):
    print("waiting for a lock")
    Path(arguments["pid_file"]).write_text(str(os.getpid()))
    time.sleep(60)


def hang_in_native_code(arguments, report):
    """Hang with the interpreter lock held, so that no Python thread ever runs."""
    Path(arguments["pid_file"]).write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(60)


def hang_with_a_grandchild(arguments, report):
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(arguments["pid_file"]).write_text(str(grandchild.pid))
    grandchild.wait()


def eat_memory(arguments, report):
    eaten = []
    while True:
        eaten.append(b"x" * (8 << 20))
        time.sleep(0.005)


def eat_memory_in_a_grandchild(arguments, report):
    here = "import isolated_functions as f; f.eat_memory({}, None)"
    subprocess.run(
        [sys.executable, "-c", here], check=True, env={"PYTHONPATH": os.pathsep.join(sys.path)}
    )


def raise_usage(arguments, report):
    raise UsageError("the key margin is missing: add it")


def raise_step(arguments, report):
    raise StepError("scale 0 at conv1")


def raise_own_kind(arguments, report):
    class PickyError(UsageError):
        pass

    raise PickyError("no")


def raise_value_error(arguments, report):
    raise ValueError("two\nlines")


def leave_by_exit(arguments, report):
    sys.exit("enough")


def return_nan(arguments, report):
    return float("nan")


def return_object(arguments, report):
    return object()


def answering(arguments, questions):
    """Answer each question with this process, its number, and the question itself."""
    yield os.getpid()
    for number, question in enumerate(questions, start=arguments["start"]):
        if question == "exit":
            os._exit(3)
        if question == "abort":
            os.abort()
        if question == "raise":
            raise RuntimeError("no such kernel")
        if question == "usage":
            raise UsageError("an image of the wrong size")
        if question == "hang":
            time.sleep(60)
        if question == "eat":
            held = bytearray(os.urandom(1 << 20)) * 300
            time.sleep(10)
            del held
        yield [os.getpid(), number, question]


def outputs(arguments, report):
    """What a cell, as a child loads it, computes for each of ``images``."""
    from fqbench.measure.cell_loading import Loadable
    from fqbench.vision.image import read_image

    cell = Loadable.model_validate(arguments["cell"])
    runner = cell.load(threads=1)
    feeds = [cell.feed(read_image(Path(path))) for path in arguments["images"]]
    return [[output.tolist() for output in runner.run(feed)] for feed in feeds]


def tick(arguments, report):
    """Be busy until ``until`` exists, and write the time into ``file`` every few milliseconds."""
    with Path(arguments["file"]).open("a", buffering=1) as file:
        while not Path(arguments["until"]).exists():
            file.write(f"{time.monotonic()}\n")
            report(1, 1)
            end = time.perf_counter() + 0.005
            while time.perf_counter() < end:
                pass
    return "done"


def tick_in_a_session_of_its_own(arguments, report):
    """As ``tick``, in a process that this one starts and isolates."""
    call = f"import isolated_functions as f; f.tick({arguments!r}, lambda *_: None)"
    subprocess.run(
        [sys.executable, "-c", call],
        check=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    return "done"


def be_alone(arguments, report):
    """Be alone ``times`` times for ``seconds`` each; return when, and on which cores."""
    phases = []
    for _ in range(arguments.get("times", 1)):
        with alone(report) as cores, bound(cores):
            begin = time.monotonic()
            Path(arguments["pid_file"]).write_text(str(os.getpid()))
            if arguments.get("eat"):
                eat_memory(arguments, report)
            time.sleep(arguments["seconds"])
            phases.append([begin, time.monotonic(), sorted(os.sched_getaffinity(0))])
    return {"phases": phases, "after": sorted(os.sched_getaffinity(0))}


def hold_memory(arguments, report):
    """Hold ``mb`` MiB, and tick."""
    held = bytearray(os.urandom(1 << 20)) * arguments["mb"]
    tick(arguments, report)
    return len(held)


def own_peak(arguments, report):
    from fqbench.measure import memory

    return memory.peak()
