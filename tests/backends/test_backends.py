"""Backends are found as entry points, and nothing outside of a backend's folder knows its name."""

import ast
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import fqbench
from fqbench.backends import registry
from fqbench.backends.record import Backend, Int8Form, RecordError
from fqbench.backends.registry import GROUP, backend, backends, int8_form, label_of, load
from fqbench.errors import UsageError
from tests.support.outside import install

PACKAGE = Path(fqbench.__file__).parent
FOLDERS = ("onnxruntime", "openvino", "paddle", "tensorrt")

ALLOWED = {
    "graph/executor.py": (
        "onnxruntime",
        "the distribution that executes graphs",
    ),
    "convert/environment.py": ("paddle", "the environment that reads its programs"),
    "methods/modelopt/__init__.py": ("onnxruntime openvino", "libraries, and whose it makes"),
    "methods/nncf/__init__.py": ("onnxruntime openvino", "libraries, and whose models it makes"),
    "methods/onnxruntime_quantization/__init__.py": ("onnxruntime openvino", "whose it makes"),
    "methods/paddleslim/__init__.py": ("onnxruntime openvino paddle", "whose it makes, of whose"),
    "spec/model.py": ("paddle", "a format of model files"),
    "compress/config.py": ("paddle", "a format of model files, as configs call it"),
    "compress/job.py": ("paddle", "configs may call layers as programs of Paddle do"),
}
"""Modules outside of a backend's folder that may have names of some, each with why."""

LAYERS = ("graph", "quantize", "backends", "tune", "methods", "pipeline")
"""Folders of which each imports only those before it, and itself."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())


def texts(tree: ast.Module) -> Iterator[str]:
    """The strings of a module that are no docstrings."""
    bodies = [body for node in ast.walk(tree) if isinstance(body := getattr(node, "body", 0), list)]
    told = {id(each.value) for body in bodies for each in body if isinstance(each, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def folder_of(module: str) -> str | None:
    """The backend's folder that a module lies in."""
    return next((name for name in FOLDERS if module.startswith(f"backends/{name}/")), None)


class TestNames:
    @pytest.mark.slow
    def test_no_module_outside_of_a_backend_s_folder_has_its_name(self):
        found = {
            (module, text)
            for module, tree in modules()
            if folder_of(module) is None
            for text in texts(tree)
            if text in backends()
        }
        allowed = {(file, name) for file, (names, _) in ALLOWED.items() for name in names.split()}
        assert found == {(file, name) for file, name in allowed if name in backends()}

    @pytest.mark.slow
    def test_no_module_outside_of_a_backend_s_folder_imports_from_it(self):
        found = {
            f"{module} imports {name}"
            for module, tree in modules()
            for name in imported(tree)
            for folder in FOLDERS
            if f"{name}.".startswith(f"fqbench.backends.{folder}.") and folder_of(module) != folder
        }
        assert found == set()

    def test_a_name_is_found_where_it_is_compared(self):
        tree = ast.parse('"""paddle"""\nif backend == "paddle":\n    pass\n')
        assert list(texts(tree)) == ["paddle"]


@pytest.mark.slow
def test_lower_layers_import_no_higher_ones():
    found = {
        f"{module} imports {name}"
        for module, tree in modules()
        for name in imported(tree)
        for layer in LAYERS
        if module.startswith(f"{layer}/")
        for higher in LAYERS[LAYERS.index(layer) + 1 :]
        if f"{name}.".startswith(f"fqbench.{higher}.")
    }
    assert found == set()


def record(name: str, **changes: object) -> Backend:
    """ONNX Runtime's record under another name."""
    own = backend("onnxruntime")
    fields = {key: getattr(own, key) for key in own.__dataclass_fields__}
    return Backend(**{**fields, "name": name, "int8": "onnxruntime", **changes})


class TestVersions:
    def test_version_runs_what_the_backend_makes(self):
        found = backend("onnxruntime==1.23.2")
        assert found.label == label_of("onnxruntime==1.23.2") == "ONNX Runtime 1.23.2"
        assert found.environment == "onnxruntime==1.23.2"
        assert registry.lowering_target(found.name) == found.int8 == "onnxruntime"
        assert int8_form(found.name) == int8_form("onnxruntime")

    def test_version_of_one_that_runs_another_s_form_does_too(self):
        assert registry.lowering_target("tensorrt_rtx==1.7") == "tensorrt"

    @pytest.mark.parametrize("name", ["onnxruntime==", "onnxruntime==x", "onnxruntime==1/.."])
    def test_what_is_no_version_is_named(self, name):
        with pytest.raises(UsageError, match="is no version of onnxruntime: expected one such as"):
            backend(name)


class TestRecord:
    def test_every_field_is_asked_for(self):
        with pytest.raises(TypeError, match="saturates"):
            Backend(name="some")
        with pytest.raises(TypeError, match="executed_by"):
            Int8Form(device="cpu")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"name": "Some-Name"}, "name is 'Some-Name', expected lower-case"),
            ({"loads": ()}, r"loads is \(\), expected endings"),
            ({"loads": ("onnx",)}, "loads is .*, expected endings"),
            ({"runtime": "module"}, "runtime is 'module', expected 'module:attribute'"),
            ({"runtime": None}, "runtime is None, expected 'module:attribute'"),
            ({"saturates": "maybe"}, "saturates is 'maybe', expected never"),
            ({"int8": 8}, "int8 is no Int8Form"),
            ({"int8": None}, "saturates is 'counted', expected never without INT8"),
        ],
    )
    def test_a_field_that_cannot_be_is_named(self, changes, message):
        with pytest.raises(RecordError, match=message):
            record(**{"name": "some", **changes})

    def test_what_may_be_none_may_be_none(self):
        assert record("some", bare_call=None, int8=None, saturates="never").int8 is None


class TestRegistry:
    @pytest.fixture
    def points(self, tmp_path, monkeypatch):
        """Entry points of packages, by the package and the text of its module."""
        backends()  # Those that are installed, of which the packages' records are variants.
        monkeypatch.syspath_prepend(tmp_path)

        def made(*packages):
            for package, lines in packages:
                install(tmp_path, package, {GROUP: dict(line.split(" = ") for line in lines)})
            return entry_points(group=GROUP)

        return made

    def module(self, tmp_path, name, text):
        (tmp_path / f"{name}.py").write_text(
            f"from tests.backends.test_backends import record\n{text}\n"
        )

    def test_ours_come_first_and_others_by_name(self, points, tmp_path):
        self.module(tmp_path, "first_one", "A, Z = record('a_one'), record('zeta')")
        found = load(
            points(("pkg-one", ["zeta = first_one:Z"]), ("pkg-two", ["a_one = first_one:A"]))
        )
        assert list(found) == [*backends(), "a_one", "zeta"]

    @pytest.mark.parametrize(
        ("name", "text", "line", "message"),
        [
            (
                "lost",
                "",
                "some = lost:NOTHING",
                r"'some' of package pkg in .* lost:NOTHING cannot be loaded \(AttributeError: .*\):"
                " repair or uninstall the package",
            ),
            (
                "broken",
                "raise OSError('no\\nlibrary')",
                "some = broken:A",
                r"cannot be loaded \(OSError: no library\)",
            ),
            (
                "lacking",
                "from fqbench.backends import Backend\nA = Backend(name='some')",
                "some = lacking:A",
                r"cannot be loaded \(TypeError: .*missing.*'label'",
            ),
            (
                "other",
                "A = 5",
                "some = other:A",
                r"other:A is of type int, expected fqbench\.backends\.record\.Backend",
            ),
            ("named", "A = record('any')", "some = named:A", "named:A calls itself 'any'"),
            (
                "taken",
                "A = record('paddle')",
                "paddle = taken:A",
                "'paddle' of package pkg in .*: the name is taken by package fqbench",
            ),
            (
                "nobody",
                "A = record('some', int8='nobody')",
                "some = nobody:A",
                "runs the INT8 form of 'nobody', which is no backend",
            ),
            (
                "borrowed",
                "A = record('some', int8='tensorrt_rtx')",
                "some = borrowed:A",
                "runs the INT8 form of 'tensorrt_rtx', which has none of its own",
            ),
        ],
    )
    def test_what_cannot_be_used_is_a_sentence(self, points, tmp_path, name, text, line, message):
        self.module(tmp_path, name, text)
        with pytest.raises(UsageError, match=message):
            load(points(("pkg", [line])))

    def test_fqbench_without_its_own_is_to_be_installed_again(self):
        with pytest.raises(UsageError, match="package fqbench has no entry points"):
            load([])

    def test_what_is_not_there_is_named(self):
        with pytest.raises(UsageError, match="no backend 'some': the backends are onnxruntime"):
            backend("some")

    def test_results_of_a_backend_that_is_not_there_show_its_name(self):
        assert label_of("some") == "some"
        assert label_of("tensorrt_rtx") == "TensorRT for RTX"

    def test_int8_is_that_of_the_form_s_backend(self):
        assert registry.lowering_target("tensorrt_rtx") == "tensorrt"
        assert int8_form("tensorrt_rtx") is int8_form("tensorrt")

    def test_every_reference_of_ours_is_there(self):
        pytest.importorskip("paddle")
        for known in backends().values():
            named = [known.runtime, known.bare_call, known.time_nodes, known.snippet, known.float16]
            if isinstance(known.int8, Int8Form):
                named += [known.int8.lower, known.int8.variants, known.int8.roundings]
            if known.conversion is not None:
                named += [known.conversion.write, known.conversion.check]
            for reference in filter(None, named):
                assert callable(registry.resolve(reference))
