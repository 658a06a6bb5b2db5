"""What test_spec_check.py runs in a child process: paddle is never imported beside pytest."""

from pathlib import Path

from fqbench.errors import UsageError
from fqbench.spec.inspect import inspect_paddle


def inspect_all(arguments, report):
    """What is found in, or said about, models that are whole and models that are not."""
    folder = Path(arguments["folder"])
    good = save_classifier(folder / "good", "float32")
    double = save_classifier(folder / "double", "float64")
    program, params = good.read_bytes(), good.with_suffix(".pdiparams").read_bytes()
    (folder / "other.pdiparams").write_bytes(params)
    cases = {
        "good": (good, "good.pdiparams"),
        "renamed parameters": (good, "other.pdiparams"),
        "double": (double, "double.pdiparams"),
        "empty": (written(folder / "empty.pdmodel", b""), "good.pdiparams"),
        "text": (written(folder / "text.pdmodel", b"no model\n"), "good.pdiparams"),
        "cut": (written(folder / "cut.pdmodel", program[:500]), "good.pdiparams"),
        "onnx": (Path(arguments["onnx"]), "good.pdiparams"),
        "cut parameters": (good, written(folder / "cut.pdiparams", params[:40]).name),
        "no parameters": (good, written(folder / "none.pdiparams", b"").name),
        "parameters too long": (good, written(folder / "long.pdiparams", params + b"12").name),
    }
    return {name: found(model, folder / params) for name, (model, params) in cases.items()}


def found(model, params):
    try:
        return inspect_paddle({"model": str(model), "params": str(params)}, None)
    except UsageError as error:
        return str(error).replace(f"{params.parent}/", "")


def written(path, content):
    path.write_bytes(content)
    return path


def save_classifier(path, data_type):
    import paddle

    paddle.enable_static()
    with paddle.static.program_guard(paddle.static.Program(), paddle.static.Program()):
        image = paddle.static.data("image", [-1, 3, 8, 16], data_type)
        logits = paddle.static.nn.fc(paddle.mean(image, [2, 3]), 10)
        executor = paddle.static.Executor(paddle.CPUPlace())
        executor.run(paddle.static.default_startup_program())
        paddle.static.save_inference_model(str(path), [image], [logits], executor)
    return path.with_suffix(".pdmodel")
