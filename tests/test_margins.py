"""Margins files, and which margin a cell gets."""

import pytest

from fqbench import zoo
from fqbench.errors import UsageError
from fqbench.margins import Margins, ModelMargin, default_margins_path, load_margins
from fqbench.spec import Margin, ModelSpec

WORD = {"source": "a paper", "reason": "measured there"}


def margin(drop: float, **cells) -> Margin:
    return Margin(drop=drop, **WORD, **cells)


def entry(drop: float, model: str = "net", **cells) -> ModelMargin:
    return ModelMargin(model=model, drop=drop, **WORD, **cells)


def spec(*margins: Margin) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "name": "net",
            "task": "classification",
            "model": "net.onnx",
            "preprocess": {"resize": {"kind": "stretch", "size": [8, 8]}},
            "decode": {"kind": "logits"},
            "dataset": {"kind": "imagenet", "images": "i", "list": "l"},
            "calibration": {"images": "c"},
            "margins": margins,
        }
    )


def drop(margins: Margins, of: ModelSpec, backend: str = "paddle", method: str = "offline"):
    found = margins.for_cell(of, backend, method)
    return None if found is None else found.drop


def test_own_margin_goes_before_the_files():
    margins = Margins((entry(1.0), entry(2.0, backend="paddle", method="offline")))
    assert drop(margins, spec(margin(3.0))) == 3.0


def test_own_margin_of_another_backend_leaves_the_files():
    assert drop(Margins((entry(1.0),)), spec(margin(3.0, backend="onnxruntime"))) == 1.0


@pytest.mark.parametrize(
    ("backend", "method", "expected"),
    [
        ("onnxruntime", "distillation", 1.0),
        ("onnxruntime", "offline", 2.0),
        ("paddle", "distillation", 3.0),
        ("paddle", "offline", 4.0),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_most_specific_margin_goes_first(backend, method, expected, turned):
    entries = [
        entry(1.0),
        entry(2.0, method="offline"),
        entry(3.0, backend="paddle"),
        entry(4.0, backend="paddle", method="offline"),
    ]
    margins = Margins(tuple(reversed(entries)) if turned else tuple(entries))
    assert drop(margins, spec(), backend, method) == expected


def test_backend_decides_before_method():
    margins = Margins((entry(1.0, method="offline"), entry(2.0, backend="paddle")))
    assert drop(margins, spec()) == 2.0


def test_no_margin_where_nothing_fits():
    entries = (entry(1.0, model="other"), entry(2.0, backend="tensorrt"))
    assert drop(Margins(entries), spec()) is None
    assert drop(Margins(), spec()) is None


def test_margin_of_tensorrt_holds_where_the_same_form_runs():
    margins = Margins((entry(1.0), entry(2.0, backend="tensorrt")))
    assert drop(margins, spec(), "tensorrt_rtx", "offline") == 2.0


def test_margin_keeps_its_source():
    found = Margins((entry(1.0),)).for_cell(spec(), "paddle", "offline")
    assert (found.source, found.reason) == ("a paper", "measured there")


def test_unmatched_names_each_unknown_model_once():
    margins = Margins((entry(1.0), entry(1.0, model="b"), entry(2.0, model="b", backend="paddle")))
    assert margins.unmatched(["net"]) == ("b",)
    assert margins.unmatched(["net", "b", "c"]) == ()


def load(tmp_path, text: str) -> Margins:
    path = tmp_path / "margins.yaml"
    path.write_text(text)
    return load_margins(path)


GOOD = "- {model: net, drop: 0.5, source: a paper, reason: measured there}\n"


def test_file_in_order(tmp_path):
    text = GOOD + "- {model: b, backend: paddle, drop: 2, source: a paper, reason: narrow}\n"
    assert load(tmp_path, text).entries == (
        entry(0.5),
        ModelMargin(model="b", backend="paddle", drop=2.0, source="a paper", reason="narrow"),
    )


def test_empty_list_has_no_margins(tmp_path):
    assert load(tmp_path, "[]") == Margins()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("- {model: net, drop: 0.5, reason: measured there}", "0.source"),
        ("- {model: net, drop: 0.5, source: a paper}", "0.reason"),
        ("- {model: net, drop: 0.5, source: '', reason: measured there}", "0.source"),
        ("- {model: net, source: a paper, reason: measured there}", "0.drop"),
        (GOOD + "- {drop: 0.5, source: a paper, reason: measured there}", "1.model"),
        ("- {model: net, drop: -1, source: a paper, reason: measured there}", "0.drop"),
        ("- {model: net, drop: .nan, source: a paper, reason: measured there}", "0.drop"),
        (GOOD.replace("drop:", "backend: tvm, drop:"), "0.backend"),
        (GOOD.replace("drop:", "metod: offline, drop:"), "0.metod"),
        ("model: net", "expected a list"),
        ("", "expected a list"),
        ("- [", "not valid YAML"),
    ],
)
def test_unusable_entry_is_named_in_one_line(tmp_path, text, named):
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "margins.yaml") in str(caught.value)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cells", ["", "backend: paddle, ", "backend: paddle, method: offline, "])
def test_two_margins_for_the_same_cells_are_refused(tmp_path, cells):
    with pytest.raises(UsageError, match=r"margins\.yaml: .*net"):
        load(tmp_path, GOOD.replace("drop:", f"{cells}drop:") * 2)


def test_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*nowhere\.yaml: No such file"):
        load_margins(tmp_path / "nowhere.yaml")


def test_projects_own_file_has_a_margin_for_each_embedded_model():
    margins = load_margins(default_margins_path())
    named = {e.model for e in margins.entries}
    assert set(zoo.embedded_names()) <= named
    assert margins.unmatched(named) == ()
