"""What test_decode.py runs in a child process: paddle is never imported beside pytest."""

import numpy as np


def multiclass_nms(arguments, report):
    """Run Paddle's own operator, as PP-YOLOE's export holds it, on each case of a file.

    ``cases``: .npz with ``boxes_I`` [1, n, 4] and ``scores_I`` [1, classes, n]; writes ``rows_I``
    and ``count_I`` to ``found``.
    """
    import paddle
    from paddle.base.layer_helper import LayerHelper

    paddle.enable_static()
    cases = np.load(arguments["cases"])
    helper = LayerHelper("multiclass_nms3")
    boxes = paddle.static.data("boxes", [1, -1, 4], "float32")
    scores = paddle.static.data("scores", [1, -1, -1], "float32")
    rows, index, count = (
        helper.create_variable_for_type_inference(kind) for kind in ("float32", "int32", "int32")
    )
    helper.append_op(
        type="multiclass_nms3",
        inputs={"BBoxes": boxes, "Scores": scores},
        outputs={"Out": rows, "Index": index, "NmsRoisNum": count},
        attrs={**arguments["attributes"], "background_label": -1, "normalized": True},
    )
    executor = paddle.static.Executor(paddle.CPUPlace())
    found = {}
    for number in range(len(cases.files) // 2):
        feed = {name: cases[f"{name}_{number}"] for name in ("boxes", "scores")}
        result = executor.run(feed=feed, fetch_list=[rows, count])
        found[f"rows_{number}"], found[f"count_{number}"] = result
    np.savez(arguments["found"], **found)
    return len(found)
