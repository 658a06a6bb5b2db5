"""The table of all methods and runtimes, from results that are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.stored_files import MACHINE, row, write
from tools.front_page import ahead, page
from tools.front_page.__main__ import main
from tools.front_page.runs import Row, read_run

ROOT = Path(__file__).parents[2]


def cell(
    backend: str,
    precision: str,
    ms: float,
    *,
    model: str = "net",
    made_by: str | None = None,
    drop: tuple[float, float, float] | None = None,
    **values: Any,
) -> dict[str, Any]:
    """A row; ``made_by``: a method other than the default one; ``drop``: value, low and high."""
    found = row(f"{model}-{backend}-cpu-{precision}", ms, metric="top1", **values)
    found["latency_ms"]["ci95"] = [ms, ms]
    if made_by is not None:
        found |= {"cell": f"{found['cell']}@{made_by}", "method": made_by}
    if drop is not None:
        found |= {"drop": {"value": drop[0], "ci95": list(drop[1:])}, "margin": 1.0}
    return found


FULL = (
    cell("onnxruntime", "fp32", 4.0, accuracy=70.0, size_mb=10.0),
    cell(
        *("onnxruntime", "int8", 2.0),
        drop=(0.5, 0.1, 0.9),
        accuracy=69.5,
        size_mb=2.5,
        quantize_s=12.4,
        convolutions=28,
        int8_convolutions=27,
        ratio={"value": 2.0, "ci95": [1.9, 2.1]},
    ),
    cell("onnxruntime", "int8", 9.0, made_by="nncf", drop=(0.0, 0.0, 0.0)),
    cell("onnxruntime", "int8", 1.0, made_by="ort_static", drop=(3.0, 2.0, 4.0)),
    cell("openvino", "fp32", 3.0, accuracy=70.0),
    cell("openvino", "bf16", 1.5, drop=(0.9, 0.0, 2.0), accuracy=69.1),
    cell("openvino", "int8", 12.34, drop=(0.2, 0.0, 0.4), slowdown=1.2),
    cell("openvino", "int8", 0.75, made_by="nncf", drop=(0.9, -0.1, 1.9)),
)
PADDLE = cell("paddle", "int8", 1.0, made_by="nncf") | {
    "status": "unsupported",
    "reason": "NNCF does not",
    "latency_ms": None,
}
FAILED = cell("openvino", "int8", 1.0, made_by="ort_advised") | {
    "status": "failed",
    "reason": "it crashed | badly",
    "latency_ms": None,
}
RANDOM = (
    cell("onnxruntime", "fp32", 150.0, model="other", weights="synthetic"),
    cell(
        *("onnxruntime", "int8", 50.0),
        model="other",
        weights="synthetic",
        needs="needs labels",
        agreement=0.98765,
    ),
)

TABLE = """\
| Model | Best float | fqbench,<br>ONNX Runtime | fqbench,<br>OpenVINO | NNCF,<br>OpenVINO \
| onnxruntime.quantization,<br>ONNX Runtime |
| --- | --- | --- | --- | --- | --- |
| net | 1.50<br>OpenVINO BF16 | 2.00 (0.75x)<br>0.50 (0.10 to 0.90) \
| 12.3 (0.12x)<br>FP32 kept | **0.75** (2.00x)<br>0.90 (-0.10 to 1.90) ? \
| 1.00 (1.50x)<br>3.00 (2.00 to 4.00) over |
| other\\* | 150<br>ONNX Runtime FP32 | 50.0 (3.00x)<br>agrees 0.988 | - | - | - |"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two files that have a block."""
    for name in (page.FRONT, page.LONGER):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_block_is_what_is_made_of_a_run(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "run", *FULL, PADDLE, FAILED, *RANDOM, machine=MACHINE)
    assert main([str(project / "run")]) == 0
    printed = capsys.readouterr().out
    text = (project / page.FRONT).read_text()
    assert text == f"before\n{page.BEGIN}\n{printed}{page.END}\nafter\n"
    assert printed.startswith(f"{TABLE}\n\n")
    assert printed.endswith(
        "Measured 2026-01-02 on Some CPU (avx2, fma, avx512f, avx512_vnni); threads of the"
        " runtime: 1; fqbench 0.1.0, python 3.11.7, onnxruntime 1.26.0, paddlepaddle 2.6.2, numpy"
        " 1.26.4.\n"
    )
    assert main([str(project / "run")]) == 0
    assert (project / page.FRONT).read_text() == text


def test_the_longer_table_has_every_row_and_each_reason_once(project: Path) -> None:
    also = [each | {"model": "another", "cell": "another"} for each in (PADDLE, FAILED)]
    write(project / "run", *FULL, PADDLE, FAILED, *also)
    assert main([str(project / "run")]) == 0
    lines = page.block_of(project / page.LONGER).splitlines()
    assert lines[3] == (
        "| net | ONNX Runtime | offline quantization | 2.00 (2.00 to 2.00) | 0.75"
        " | 2.00 (1.90 to 2.10) | 69.50 top-1 | 0.50 (0.10 to 0.90) | 1 | 12 s | 2.50 | 27 of 28 |"
    )
    assert lines[10] == (
        "| net | OpenVINO | onnxruntime.quantization as advised | failed"
        " | - | - | - | - | - | - | - | - |"
    )
    assert lines[15:19] == [
        "- nowhere",
        "",
        "- Paddle Inference, NNCF: unsupported: NNCF does not (net, another)",
        "- OpenVINO, onnxruntime.quantization as advised: failed: it crashed \\| badly"
        " (net, another)",
    ]


def read(path: Path, *rows: dict[str, Any]) -> tuple[Row, ...]:
    write(path, *rows)
    return read_run(path).rows


def test_what_is_faster_and_loses_no_more_is_ahead(tmp_path: Path) -> None:
    ours = cell("openvino", "int8", 2.0, drop=(0.3, 0.0, 0.6))
    others = (
        cell("openvino", "int8", 1.5, made_by="nncf", drop=(0.3, 0.0, 0.6)),
        cell("openvino", "int8", 1.5, made_by="nncf_advised", drop=(0.31, 0.0, 0.6)),
        cell("openvino", "int8", 2.0, made_by="ort_static", drop=(0.0, 0.0, 0.0)),
        cell("onnxruntime", "int8", 1.0, made_by="ort_advised", drop=(0.0, 0.0, 0.0)),
    )
    assert list(ahead.sentences(read(tmp_path / "run", ours, *others))) == [
        "net on OpenVINO: NNCF takes 1.50 ms for 2.00 and loses 0.30 points for 0.30"
    ]


def test_intervals_that_meet_put_nobody_ahead(tmp_path: Path) -> None:
    ours = cell("openvino", "int8", 2.0, drop=(0.3, 0.0, 0.6))
    near = cell("openvino", "int8", 1.9, made_by="nncf", drop=(0.0, 0.0, 0.0))
    near["latency_ms"]["ci95"] = [1.8, 2.0]
    assert not list(ahead.sentences(read(tmp_path / "run", ours, near)))


def test_without_accuracy_agreement_decides(tmp_path: Path) -> None:
    unknown = {"weights": "synthetic", "needs": "needs labels"}
    ours = cell("openvino", "int8", 2.0, agreement=0.9, **unknown)
    rows = [
        cell("openvino", "int8", 1.0, made_by=name, agreement=agreement, **unknown)
        for name, agreement in (("nncf", 0.91), ("nncf_advised", 0.89))
    ]
    assert list(ahead.sentences(read(tmp_path / "run", ours, *rows))) == [
        "net on OpenVINO: NNCF takes 1.00 ms for 2.00 and agrees 0.910 for 0.900"
    ]


def test_a_failed_cell_says_so_on_the_front(project: Path) -> None:
    failed = FAILED | {"backend": "onnxruntime", "cell": "net-onnxruntime-cpu-int8@ort_advised"}
    write(project / "run", *FULL, failed)
    main([str(project / "run")])
    assert " ? | failed | 1.00 (1.50x)" in page.block_of(project / page.FRONT)


def test_the_last_run_counts_and_trained_weights_before_random_ones(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "first", *FULL)
    write(project / "second", cell("onnxruntime", "fp32", 1.25, accuracy=70.0))
    random = [each | {"model": "net"} for each in RANDOM]
    write(project / "third", *random)
    assert main([str(project / name) for name in ("first", "second", "third")]) == 0
    (line,) = capsys.readouterr().out.splitlines()[2:3]
    assert line.startswith("| net | 1.25<br>ONNX Runtime FP32 | 2.00 (0.62x)<br>0.50 ")


def test_runs_of_one_model_on_two_machines_do_not_compare(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "one", *FULL)
    other = {**MACHINE, "cpu": {**MACHINE["cpu"], "model": "Another"}}  # type: ignore[dict-item]
    write(project / "two", FULL[0], machine=other)
    assert main([str(project / "one"), str(project / "two")]) == 2
    assert "net was measured on different machines in" in capsys.readouterr().err
    assert page.block_of(project / page.FRONT) == "old"


@pytest.mark.parametrize("text", ["none", f"{page.BEGIN}\n", f"{page.END}\n{page.BEGIN}\n"])
def test_a_file_without_markers_is_left_as_it_is(
    text: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / page.FRONT).write_text(text)
    write(project / "run", *FULL)
    assert main([str(project / "run")]) == 2
    assert "has not one pair of the lines" in capsys.readouterr().err
    assert (project / page.FRONT).read_text() == text


def test_results_that_are_not_there_are_one_sentence(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(project)]) == 2
    assert capsys.readouterr().err == (
        f"front_page: cannot read {project / 'results.json'}: No such file or directory"
        "; name a file that can be read\n"
    )


@pytest.mark.parametrize("name", [page.FRONT, page.LONGER])
def test_the_project_has_the_blocks(name: str) -> None:
    assert page.block_of(ROOT / name)
