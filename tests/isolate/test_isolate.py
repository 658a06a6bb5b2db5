"""Whatever native code does in its child process, the parent gets a value or one sentence."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from fqbench.errors import FqbenchError, StepError, UsageError
from fqbench.isolate import SharedMemory, call, child
from fqbench.isolate.parent import _conversation, _run, _Watch
from fqbench.isolate.process import Interpreter, Request

HERE = Path(__file__).parents[1] / "support"


@pytest.fixture(autouse=True)
def _functions_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def run(function, arguments=None, *, env=None, timeout_s=20.0, **limits):
    watch = _Watch("calibration", timeout_s, **limits)
    return _run(f"isolated_functions:{function}", arguments or {}, env or {}, watch)


def reason(function, arguments=None, **limits):
    with pytest.raises(StepError) as caught:
        run(function, arguments, **limits)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def wait_for(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def number_in(path):
    wait_for(lambda: path.exists() and path.read_text())
    return int(path.read_text())


# What a child gives


@pytest.mark.parametrize(
    "value", [{}, {"a": [1, 2.5, None, True, "\u2028é\ud800"]}, {"nested": {"list": [[]]}}]
)
def test_arguments_and_result_pass_unchanged(value):
    assert run("echo", value) == value


def test_a_child_is_another_process_in_the_same_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = run("where", {"variable": "FQBENCH_TEST"}, env={"FQBENCH_TEST": "set"})
    assert found["pid"] != os.getpid()
    assert found["cwd"] == str(tmp_path)
    assert found["env"] == "set"


def test_modules_in_the_working_folder_are_not_run(monkeypatch, tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    assert run("echo", {"a": 1}) == {"a": 1}


def test_progress_arrives_in_order():
    seen = []
    assert run("count", {"total": 50}, on_progress=lambda *pair: seen.append(pair)) is None
    assert seen == [(done, 50) for done in range(1, 51)]


def test_progress_nobody_listens_to_is_no_result():
    assert run("count", {"total": 3}) is None


def test_what_libraries_print_is_no_answer():
    assert run("chatter") == "genuine"


def test_standard_input_is_at_its_end():
    assert run("read_stdin") == ""


@pytest.mark.slow
def test_large_request_and_result_do_not_deadlock():
    assert len(run("large", {"bytes": 10_000_000})) == 10_000_000
    assert len(run("echo", {"a": "x" * 10_000_000})["a"]) == 10_000_000


# How a child fails


def test_abort_is_told_with_the_last_output():
    assert reason("abort") == (
        "calibration was killed by SIGABRT (aborted); last output: about to  [31mabort [0m"
    )


def test_segmentation_fault_is_told():
    assert reason("read_null").startswith("calibration was killed by SIGSEGV (segmentation fault)")


def test_sigkill_hints_at_memory():
    assert reason("kill_itself") == (
        "calibration was killed by SIGKILL (as the system does when memory runs out)"
    )


def test_early_exit_is_told():
    assert reason("leave") == (
        "calibration ended with exit code 3 and gave no result; last output: leaving"
    )


def test_death_is_noticed_while_a_fork_holds_the_pipe():
    start = time.monotonic()
    assert "SIGABRT" in reason("fork_and_abort")
    assert time.monotonic() - start < 10


def test_hang_is_stopped_at_the_limit(tmp_path):
    text = reason("hang", {"pid_file": str(tmp_path / "pid")}, timeout_s=0.5)
    assert text == (
        "calibration hangs: it did not end within 0.5 s and was stopped;"
        " last output: waiting for a lock"
    )
    assert is_gone(number_in(tmp_path / "pid"))


def test_hang_of_a_grandchild_is_stopped_too(tmp_path):
    reason("hang_with_a_grandchild", {"pid_file": str(tmp_path / "pid")}, timeout_s=1.0)
    wait_for(lambda: is_gone(number_in(tmp_path / "pid")))


@pytest.mark.parametrize("function", ["eat_memory", "eat_memory_in_a_grandchild"])
def test_memory_over_the_limit_is_stopped(function):
    text = reason(function, memory=SharedMemory(150))
    assert text.endswith("MiB of memory, more than the 150 MiB allowed, and was stopped")
    used = int(text.removeprefix("calibration used ").split()[0])
    assert 150 < used < 20_000


def test_memory_under_the_limit_is_let_be():
    assert len(run("large", {"bytes": 5_000_000}, memory=SharedMemory(1000))) == 5_000_000


@pytest.mark.parametrize(
    ("function", "kind", "text"),
    [
        ("raise_usage", UsageError, "the key margin is missing: add it"),
        ("raise_step", StepError, "scale 0 at conv1"),
    ],
)
def test_an_error_of_ours_keeps_kind_and_text(function, kind, text):
    with pytest.raises(kind) as caught:
        run(function)
    assert type(caught.value) is kind
    assert str(caught.value) == text


def test_an_unknown_kind_of_error_is_a_step_error():
    assert reason("raise_own_kind") == "calibration failed: no"


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("raise_value_error", "calibration failed: ValueError: two lines (isolated_functions.py:"),
        ("leave_by_exit", "calibration failed: SystemExit: enough (isolated_functions.py:"),
        ("return_nan", "calibration failed: ValueError: "),
        ("return_object", "calibration failed: TypeError: "),
        ("missing", "calibration failed: AttributeError: "),
    ],
)
def test_any_other_error_is_told_in_one_line(function, text):
    assert reason(function).startswith(text)


def test_a_child_that_cannot_start_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    assert reason("echo").startswith("calibration could not be started: ")


# Nothing is left


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_no_descriptor_and_no_process_is_left():
    run("echo")  # what is opened once stays
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        run("echo")
        reason("raise_value_error")
        reason("kill_itself")
    assert len(os.listdir("/proc/self/fd")) == before
    assert psutil.Process().children(recursive=True) == []


@pytest.mark.parametrize("function", ["hang", "hang_in_native_code"])
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's parent death signal")
def test_a_killed_parent_takes_its_child_along(tmp_path, function):
    with parent_of(function, tmp_path / "pid") as parent:
        child = number_in(tmp_path / "pid")
        parent.kill()
    wait_for(lambda: is_gone(child))


def test_a_child_ends_when_the_parent_s_pipe_does(tmp_path):
    """What stands in for the parent death signal where a system has none."""
    pid_file = tmp_path / "pid"
    request = {
        "path": sys.path,
        "first": [],
        "function": "isolated_functions:hang",
        "arguments": {"pid_file": str(pid_file)},
        "cores": [],
    }
    life_end, life = os.pipe()
    ends = (os.open(os.devnull, os.O_WRONLY), life_end, os.open(os.devnull, os.O_RDONLY))
    command = [sys.executable, "-I", child.__file__, *map(str, ends), str(os.getpid())]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, pass_fds=ends, start_new_session=True
    ) as process:
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
        number_in(pid_file)
        assert process.poll() is None
        os.close(life)
        assert process.wait(20) == -signal.SIGKILL
    for descriptor in ends:
        os.close(descriptor)


def test_ctrl_c_ends_the_child_and_goes_on(tmp_path):
    with parent_of("hang", tmp_path / "pid") as parent:
        child = number_in(tmp_path / "pid")
        parent.send_signal(signal.SIGINT)
        _, told = parent.communicate(timeout=20)
    assert b"KeyboardInterrupt" in told
    assert is_gone(child)


def parent_of(function, pid_file):
    """A process of its own that waits for a hanging child."""
    code = f"""
        import signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.path[:] = {sys.path!r}
        from fqbench.isolate.parent import _run, _Watch
        _run("isolated_functions:{function}", {{"pid_file": {str(pid_file)!r}}}, {{}},
             _Watch("x", 60.0))
    """
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.PIPE)


# The way in


@pytest.mark.parametrize(
    "function",
    [
        "os:system",
        "isolated_functions:echo",
        "fqbenchmark.x:y",
        "fqbench:call",
        "fqbench.isolate.parent:_run",
        "fqbench..os:system",
        "fqbench.cells",
        "fqbench.cells:a.b",
        "",
    ],
)
def test_only_functions_of_the_package_may_be_called(function):
    with pytest.raises(ValueError, match="is not a function of this package"):
        call(function, {}, timeout_s=1.0)


def test_a_function_of_the_package_is_called_by_name():
    with pytest.raises(StepError, match=r"a step failed: ModuleNotFoundError: .*no_such_module"):
        call("fqbench.no_such_module:run", {}, timeout_s=20.0)


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_arguments_that_are_no_json_are_refused(value):
    with pytest.raises((TypeError, ValueError)):
        call("fqbench.cells:x", {"value": value}, timeout_s=1.0)


# A conversation


def talk(function, arguments=None, *, interpreter=None, timeout_s=20.0, **limits):
    request = Request(
        f"isolated_functions:{function}",
        arguments or {},
        {},
        interpreter or Interpreter.here(),
    )
    return _conversation(request, _Watch("a cell", timeout_s, **limits))


def test_each_question_has_its_answer_in_one_process():
    with talk("answering", {"start": 10}) as conversation:
        pid = conversation.ready()
        assert pid != os.getpid()
        assert [conversation.ask(value) for value in (1, 2.5, "\u2028")] == [
            [pid, 10, 1],
            [pid, 11, 2.5],
            [pid, 12, "\u2028"],
        ]


def test_long_answers_arrive_whole():
    with talk("answering", {"start": 0}) as conversation:
        pid = conversation.ready()
        question = [0.1] * 100_000
        for number in range(3):
            assert conversation.ask(question) == [pid, number, question]


def test_a_conversation_ends_its_child():
    with talk("answering", {"start": 0}) as conversation:
        pid = conversation.ready()
    assert is_gone(pid)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("exit", "a cell ended with exit code 3 and gave no result"),
        ("abort", "a cell was killed by SIGABRT"),
        ("raise", "a cell failed: RuntimeError: no such kernel (isolated_functions.py:"),
        ("usage", "an image of the wrong size"),
    ],
)
def test_what_ends_a_conversation_is_told(question, told):
    with talk("answering", {"start": 0}) as conversation:
        conversation.ready()
        with pytest.raises(FqbenchError) as caught:
            conversation.ask(question)
    assert str(caught.value).startswith(told)
    assert isinstance(caught.value, UsageError) == (question == "usage")


def test_a_question_to_a_dead_child_tells_how_it_died():
    with talk("answering", {"start": 0}) as conversation:
        os.kill(conversation.ready(), signal.SIGKILL)
        with pytest.raises(StepError, match="killed by SIGKILL"):
            conversation.ask(1)


@pytest.mark.slow
def test_an_answer_that_does_not_come_is_a_hang():
    with talk("answering", {"start": 0}, timeout_s=1.0) as conversation:
        conversation.ready()
        time.sleep(1.2)
        assert conversation.ask(1), "the time between questions does not count"
        with pytest.raises(StepError, match="a cell hangs: it did not end within 1 s"):
            conversation.ask("hang")


def test_memory_is_watched_in_a_conversation():
    with talk("answering", {"start": 0}, memory=SharedMemory(150)) as conversation:
        conversation.ready()
        with pytest.raises(StepError, match="more than the 150 MiB allowed"):
            conversation.ask("eat")


def test_another_interpreter_uses_its_own_modules(tmp_path):
    """As a child of another environment does: the path is that environment's."""
    package = tmp_path / "fqbench"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "errors.py").write_text("class FqbenchError(Exception): pass")
    (tmp_path / "isolated_functions.py").write_text(
        "def answering(arguments, questions):\n    yield 'another'\n"
    )
    for other in (
        Interpreter(sys.executable, (str(tmp_path), *sys.path)),
        Interpreter(sys.executable, None, (str(tmp_path),)),
        Interpreter.here(str(tmp_path)),
    ):
        with talk("answering", interpreter=other) as conversation:
            assert conversation.ready() == "another"


def test_an_interpreter_that_is_not_there_is_told():
    with (
        pytest.raises(StepError, match=r"a cell could not be started: .*nowhere"),
        talk("answering", interpreter=Interpreter("/nowhere/python")),
    ):
        pass
