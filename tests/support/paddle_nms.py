"""What test_decode.py runs in a child process: paddle is never imported beside pytest."""

import numpy as np


def multiclass_nms(arguments, report):
    """Run Paddle's own operator, as PP-YOLOE's export holds it, on each case of a file.

    ``cases``: .npz with ``boxes_I`` [1, n, 4] and ``scores_I`` [1, classes, n]; writes ``rows_I``
    and ``count_I`` to ``found``.
    """
    import paddle

    paddle.enable_static()
    cases = np.load(arguments["cases"])
    boxes = paddle.static.data("boxes", [1, -1, 4], "float32")
    scores = paddle.static.data("scores", [1, -1, -1], "float32")
    rows, count = _nms(boxes, scores, arguments["attributes"])
    executor = paddle.static.Executor(paddle.CPUPlace())
    found = {}
    for number in range(len(cases.files) // 2):
        feed = {name: cases[f"{name}_{number}"] for name in ("boxes", "scores")}
        result = executor.run(feed=feed, fetch_list=[rows, count])
        found[f"rows_{number}"], found[f"count_{number}"] = result
    np.savez(arguments["found"], **found)
    return len(found)


def write_detector(arguments, report):
    """Write a detector that ends in NMS into ``folder``, as PaddleDetection exports them.

    Beside it, what goes into the NMS for ``image.npy``, as ``boxes.npy`` and ``scores.npy``.
    """
    from pathlib import Path

    import paddle

    folder = Path(arguments["folder"])
    paddle.enable_static()
    paddle.seed(1)
    image = paddle.static.data("image", [1, 3, 32, 32], "float32")
    factor = paddle.static.data("scale_factor", [1, 2], "float32")
    features = paddle.nn.functional.relu(paddle.nn.Conv2D(3, 8, 8, stride=8)(image))
    corners = paddle.nn.Conv2D(8, 4, 1)(features).reshape([1, 4, 16]).transpose([0, 2, 1])
    boxes = corners / paddle.concat([factor, factor], axis=1).unsqueeze(1)
    scores = paddle.nn.functional.sigmoid(paddle.nn.Conv2D(8, 3, 1)(features)).reshape([1, 3, 16])
    rows, count = _nms(boxes, scores, arguments["attributes"])
    executor = paddle.static.Executor(paddle.CPUPlace())
    executor.run(paddle.static.default_startup_program())
    feed = {"image": np.load(folder / "image.npy"), "scale_factor": np.full((1, 2), 0.5, "float32")}
    found = executor.run(feed=feed, fetch_list=[boxes, scores])
    for name, value in zip(("boxes", "scores"), found, strict=True):
        np.save(folder / f"{name}.npy", value)
    paddle.static.save_inference_model(
        str(folder / "model"), [image, factor], [rows, count], executor
    )


def _nms(boxes, scores, attributes):
    """Append Paddle's operator to the program; its rows and their count."""
    from paddle.base.layer_helper import LayerHelper

    helper = LayerHelper("multiclass_nms3")
    rows, index, count = (
        helper.create_variable_for_type_inference(kind) for kind in ("float32", "int32", "int32")
    )
    helper.append_op(
        type="multiclass_nms3",
        inputs={"BBoxes": boxes, "Scores": scores},
        outputs={"Out": rows, "Index": index, "NmsRoisNum": count},
        attrs={**attributes, "background_label": -1, "normalized": True},
    )
    return rows, count
