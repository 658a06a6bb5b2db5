"""The plugin in projects that are not fqbench's: quiet, out of the way, and clear."""

import inspect
import platform
import re
import textwrap
from pathlib import Path

import pytest

from fqbench import machine
from fqbench.cells import Cell
from fqbench.precisions import precisions
from fqbench.pytest_plugin import hooks
from fqbench.pytest_plugin.settings import settings_of
from tests.support.tiny_spec import write_spec

pytestmark = pytest.mark.slow

pytest_plugins = "pytester"

ROOT = Path(__file__).parents[2]
PLUGIN = ("-p", "fqbench.pytest_plugin", "-p", "no:cacheprovider")
CHOSEN = ("--fqbench-models", "digits_yolov5", "--fqbench-backends", "onnxruntime,paddle")


@pytest.fixture
def project(pytester, monkeypatch):
    """A folder that pytest, in a process of its own, knows fqbench's plugin in."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "150")
    for name in ("FQBENCH_DATA", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    return pytester


def collected(project, *arguments: str) -> list[str]:
    """Names of the tests that pytest collects."""
    found = project.runpytest_subprocess(*PLUGIN, "--collect-only", "-q", *arguments)
    assert found.ret == 0, found.stdout.str() + found.stderr.str()
    return [line.partition("::")[2] for line in found.outlines if "::" in line]


FOREIGN_PLUGIN = """
    import pytest

    def pytest_addoption(parser):
        for name in ("spec", "models", "backends", "devices", "precisions", "method", "data-root"):
            parser.addoption(f"--{name}", default="theirs")
            parser.addini(name.replace("-", "_"), "theirs", default="theirs")

    @pytest.fixture
    def model(request):
        return request.config.getoption("--models")

    def pytest_generate_tests(metafunc):
        if "pair" in metafunc.fixturenames:
            metafunc.parametrize("pair", ["left", "right"])
"""
FOREIGN_TESTS = """
    import sys
    import pytest

    @pytest.mark.parametrize("cell", [1, 2])
    def test_cell(cell):
        assert cell in (1, 2)

    @pytest.mark.parametrize(("cell", "other"), [(1, 2)])
    def test_cells(cell, other):
        assert cell < other

    @pytest.fixture
    def timed(cell):
        return cell

    class TestOfOurs:
        @pytest.fixture
        def cell(self):
            return "class"

        def test_fixture(self, timed):
            assert timed == "class"

    def test_model(model):
        assert model == "theirs"

    def test_pair(pair):
        assert pair in ("left", "right")

    def test_default(model="default"):
        assert model == "default"

    def test_nothing_else_is_imported():
        found = {name for name in sys.modules if name.partition(".")[0] == "fqbench"}
        plugin = "fqbench.pytest_plugin"
        assert found <= {"fqbench", plugin, f"{plugin}.hooks", f"{plugin}.settings"}
"""


def test_project_that_does_not_use_it_sees_no_difference(project):
    project.makeconftest(FOREIGN_PLUGIN)
    project.makepyfile(FOREIGN_TESTS)

    def shown(plugin: str) -> list[str]:
        found = project.runpytest_subprocess("-v", "-p", plugin, "-p", "no:cacheprovider")
        found.assert_outcomes(passed=9)
        # Where it is installed, pytest names it among the plugins; how long is never the same.
        lines = [line for line in found.outlines if not line.startswith("plugins:")]
        return [re.sub(r"in [\d.]+s", "", line).strip("= ") for line in lines]

    assert shown("fqbench.pytest_plugin") == shown("no:fqbench.pytest_plugin")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "pytest.ini",
            "[pytest]\nfqbench_models = one two,three\nfqbench_spec = a.yaml b/c.yaml\n",
        ),
        (
            "pyproject.toml",
            "[tool.pytest.ini_options]\nfqbench_models = ['one', 'two', 'three']\n"
            "fqbench_spec = ['a.yaml', 'b/c.yaml']\n",
        ),
    ],
)
def test_settings_of_pytests_own_file(project, name, content):
    project.path.joinpath(name).write_text(content)
    found = settings_of(project.parseconfig(*PLUGIN))
    assert found.specs == (project.path / "a.yaml", project.path / "b/c.yaml")
    assert found.models == ("one", "two", "three")
    assert (found.backends, found.devices, found.precisions) == (None, None, None)
    assert (found.method, found.data_root) == (None, None)


def test_option_goes_before_its_setting(project, monkeypatch):
    project.makeini(
        "[pytest]\nfqbench_spec = a.yaml\nfqbench_devices = cpu\nfqbench_method = offline\n"
        "fqbench_data_root = data\n"
    )
    monkeypatch.setenv("FQBENCH_DATA", "/of/the/environment")
    options = [*("--fqbench-spec", "b.yaml", "--fqbench-spec", "c.yaml"), "--fqbench-devices=gpu"]
    found = settings_of(project.parseconfig(*PLUGIN, *options, "--fqbench-method=distillation"))
    assert found.specs == (Path("b.yaml"), Path("c.yaml"))
    assert (found.devices, found.method) == (("gpu",), "distillation")
    assert found.data_root == project.path / "data"
    found = settings_of(project.parseconfig(*PLUGIN, "--fqbench-data-root=/given"))
    assert found.data_root == Path("/given")
    project.makeini("[pytest]\n")
    assert settings_of(project.parseconfig(*PLUGIN)).data_root == Path("/of/the/environment")


def test_names_of_tests(project):
    project.makepyfile(
        """
        import pytest

        @pytest.fixture
        def ids(pair):
            return pair

        def test_cell(cell): ...
        def test_pair(ids): ...
        @pytest.mark.parametrize("count", [1, 2])
        def test_model(model, count): ...
        """
    )
    backends, devices = ("onnxruntime", "paddle"), ("cpu", "gpu")
    places = [f"digits_yolov5-{backend}-{device}" for backend in backends for device in devices]
    assert collected(project, *CHOSEN) == [
        *(f"test_cell[{place}-{precision}]" for place in places for precision in precisions()),
        *(f"test_pair[{place}]" for place in places),
        *(f"test_model[digits_yolov5-{count}]" for count in (1, 2)),
    ]
    assert collected(project, *CHOSEN, "--fqbench-precisions=int8", "-k", "pair or cell") == [
        f"test_cell[{place}-int8]" for place in places
    ] + ["test_pair[NOTSET]"]


def test_what_cannot_run_is_skipped_with_its_reason(project):
    project.makepyfile("def test_cell(cell): ...")
    gpu = ("--fqbench-devices=gpu", "--fqbench-precisions=int8", "--fqbench-backends=paddle")
    found = project.runpytest_subprocess(*PLUGIN, *CHOSEN, *gpu, "-rs", "-m", "gpu")
    found.assert_outcomes(skipped=1)
    assert str(Cell("any", "paddle", "gpu", "int8").unsupported) in found.stdout.str()
    found = project.runpytest_subprocess(*PLUGIN, *CHOSEN, *gpu, "-m", "not gpu")
    found.assert_outcomes(deselected=1)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("models=resnet", "there is no model 'resnet': the models are "),
        ("backends=onnxruntime,tvm", "there is no backend 'tvm': the backends are "),
        ("devices=tpu", "there is no device 'tpu': the devices are cpu, gpu"),
        ("precisions=int4", "there is no precision 'int4': the precisions are "),
        ("method=magic", "there is no method 'magic': the methods are offline, distillation"),
        ("spec=no.yaml", "cannot read spec file no.yaml: "),
    ],
)
def test_what_is_not_known_ends_the_session_in_a_sentence(project, setting, sentence):
    project.makepyfile(test_a="def test_a(cell): ...", test_b="def test_b(model): ...")
    found = project.runpytest_subprocess(*PLUGIN, f"--fqbench-{setting}")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert found.stderr.str().count(f"ERROR: {sentence}") == 1
    assert "Traceback" not in found.stdout.str() + found.stderr.str()
    assert "passed" not in found.stdout.str()


def test_what_is_not_known_fails_tests_of_workers_in_a_sentence(project):
    pytest.importorskip("xdist")
    project.makepyfile("def test_cell(cell): ...")
    found = project.runpytest_subprocess(*PLUGIN, "-n", "1", "--fqbench-devices=tpu")
    found.assert_outcomes(errors=1)
    assert "there is no device 'tpu': the devices are cpu, gpu" in found.stdout.str()


def test_settings_are_not_looked_at_where_no_test_asks(project):
    project.makeini("[pytest]\nfqbench_spec = no.yaml\n")
    project.makepyfile("def test_other(): ...")
    project.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


def test_machine_is_shown_where_it_matters(project):
    project.makepyfile(test_a="def test_a(model): ...", test_b="def test_b(): ...")
    versions = f"fqbench {machine.versions()['fqbench']}, python "

    def lines(*arguments: str) -> list[str]:
        found = project.runpytest_subprocess(*PLUGIN, "--collect-only", *arguments)
        shown = [line for line in found.outlines if versions in line or "cpu: " in line]
        return [line.partition(" ")[0] for line in shown]

    assert lines("test_a.py") == lines("test_b.py", *CHOSEN) == ["cpu:", "fqbench"]
    assert lines("test_a.py", *CHOSEN) == ["cpu:", "fqbench"]
    assert lines("test_b.py") == lines("test_a.py", "-q") == []


def example(hook: str) -> str:
    """The example in a hook's docstring."""
    found = inspect.getdoc(getattr(hooks, hook)) or ""
    return textwrap.dedent(found.partition("::\n")[2]).strip() + "\n"


@pytest.mark.parametrize(
    ("hook", "test"),
    [
        (
            "pytest_fqbench_machine_facts",
            f"""
            def test_facts(matrix_under_test):
                assert matrix_under_test.machine["runner"] == {platform.node()!r}
                assert matrix_under_test.machine["threads"] == 1
            """,
        ),
        (
            "pytest_fqbench_margin",
            """
            def test_margin(pair, matrix_under_test):
                margin = matrix_under_test.margin(pair.int8)
                documented = {"onnxruntime": (1.0, "our release"), "paddle": (2.0, "fqbench's own")}
                drop, source = documented[pair.int8.backend]
                assert margin.drop == drop
                assert margin.source.startswith(source)
            """,
        ),
    ],
)
def test_example_of_a_hook(project, hook, test):
    assert example(hook) in (ROOT / "docs/pytest.md").read_text()
    project.makeconftest(example(hook))
    project.makepyfile(test)
    found = project.runpytest_subprocess(*PLUGIN, *CHOSEN, "--fqbench-devices=cpu")
    assert found.ret == 0, found.stdout.str()


@pytest.mark.parametrize(
    ("hook", "sentence"),
    [
        (
            "pytest_fqbench_machine_facts(): return {'when': {1}}",
            "pytest_fqbench_machine_facts returned what JSON cannot hold: ",
        ),
        (
            "pytest_fqbench_margin(): return 0.5",
            "pytest_fqbench_margin returned 0.5 for digits_yolov5 on onnxruntime: expected",
        ),
    ],
)
def test_hook_that_returns_something_else(project, hook, sentence):
    project.makeconftest(f"def {hook}")
    project.makepyfile(
        "def test_margin(pair, matrix_under_test): matrix_under_test.margin(pair.int8)"
    )
    chosen = ("--fqbench-devices=cpu", "--fqbench-backends=onnxruntime")
    found = project.runpytest_subprocess(*PLUGIN, *CHOSEN, *chosen)
    assert found.ret != 0
    assert sentence in found.stdout.str() + found.stderr.str()


def test_model_that_is_not_usable_fails_its_tests_in_a_sentence(project):
    spec = write_spec(project.path, calibration={"images": "images", "count": 8})
    project.makepyfile("def test_cell(cell, answered): answered(cell)")
    chosen = {"spec": spec, "backends": "onnxruntime", "devices": "cpu", "precisions": "fp32"}
    options = [f"--fqbench-{name}={value}" for name, value in chosen.items()]
    found = project.runpytest_subprocess(*PLUGIN, *options)
    found.assert_outcomes(failed=1)
    assert "evaluated" in found.stdout.str()
    assert "matrix.py" not in found.stdout.str()


def test_suites_by_the_name_of_their_package(project):
    spec = write_spec(project.path)
    found = collected(
        *(project, "--fqbench-spec", str(spec), "--fqbench-backends=onnxruntime"),
        *("--fqbench-devices=cpu", "--pyargs", "fqbench.suites.conformance.test_accuracy"),
        "fqbench.suites.benchmarks.test_latency",
    )
    assert found == [
        "test_int8_accuracy_is_within_its_margin[tiny-onnxruntime-cpu]",
        *(f"test_latency[tiny-onnxruntime-cpu-{precision}]" for precision in precisions()),
    ]


def test_short_names_are_this_repositorys(project):
    project.makepyfile("def test_model(model): ...")
    found = project.runpytest_subprocess(*PLUGIN, "--models", "digits_yolov5")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    settings, file = ROOT / "pyproject.toml", ROOT / "conformance/test_agreement.py"
    command = ("--collect-only", "-q", "--models", "digits_yolov5", "-c", str(settings), str(file))
    found = project.runpytest_subprocess("-p", "no:cacheprovider", *command)
    assert "digits_yolov5" in found.stdout.str()
    assert "digits_mobilenet" not in found.stdout.str()
