"""What configs of the one-click tool mean: each key has its effect on the spec."""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path

import pytest
import yaml
from PIL import Image

from fqbench.compress.config import load_config
from fqbench.compress.method import compression_method
from fqbench.compress.reading import KNOWN, described, reading
from fqbench.compress.translate import Source, source, translated
from fqbench.errors import UsageError
from fqbench.spec import Crop, Letterbox, ModelSpec, Preprocess, Stretch
from fqbench.spec.contents import Contents
from tests.support.tiny_config import MISSING, content

CLASSIFIER = Contents({"x": [1, 3, 32, 32]}, {"logits": [1, 4]}, {})
DETECTOR = Contents({"images": [-1, 3, 640, 640]}, {"output": [-1, 25200, 85]}, {})
TWO_INPUTS = Contents(
    {"image": [-1, 3, 640, 640], "scale_factor": [-1, 2]}, {"boxes": [-1, 6]}, {"score": 0.01}
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A model's file and ten images, all of which are looked at by name only."""
    (tmp_path / "tiny.onnx").write_bytes(b"")
    for folder in ("calibration", "training"):
        (tmp_path / folder).mkdir()
        for number in range(10):
            Image.new("RGB", (4, 4)).save(tmp_path / folder / f"{number}.png")
    return tmp_path


def spec_of(
    home: Path,
    changes: Mapping[str, object] | None = None,
    method: str = "PTQ",
    contents: Contents = CLASSIFIER,
) -> ModelSpec:
    if contents is not CLASSIFIER:
        changes = {"Global.input_list": MISSING, **(changes or {})}
    path = home / "config.yaml"
    path.write_text(yaml.safe_dump(content(changes)))
    config = load_config(path).config
    asked = compression_method(method)
    return translated(config, asked, source(config.general, home), contents, home)


def refusal(*arguments: object, **named: object) -> str:
    with pytest.raises(UsageError) as caught:
        spec_of(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "place", "expected"),
    [
        ({"PTQ.calibration_method": "KL"}, "offline.algorithm", "KL"),
        ({"PTQ.calibration_method": MISSING}, "offline.algorithm", "search"),
        ({}, "calibration.count", 320),
        ({"Global.image_count": 7}, "calibration.count", 7),
        ({}, "input", "x"),
        ({"Global.input_list": ["x"]}, "input", "x"),
        ({"Global.input_list": MISSING}, "input", "x"),
        ({}, "task", "classification"),
        ({}, "name", "tiny"),
        ({}, "decode.kind", "none"),
        ({}, "labelled", False),
    ],
)
def test_effect_of_a_key_on_ptq(home, changes, place, expected):
    assert reduce(getattr, place.split("."), spec_of(home, changes)) == expected


@pytest.mark.parametrize(
    ("changes", "place", "expected"),
    [
        ({"Distillation.alpha": 2.5}, "alpha", 2.5),
        ({"Distillation.loss": "l2"}, "loss", "l2"),
        ({"Distillation.loss": "soft_label"}, "loss", None),
        ({"Distillation.loss": MISSING}, "loss", None),
        ({"TrainConfig.train_iter": 1234}, "iterations", 1234),
        ({"TrainConfig.train_iter": MISSING, "TrainConfig.epochs": 3}, "iterations", 6),
        ({"Global.qat_batch_size": 2}, "batch_size", 2),
        ({"TrainConfig.eval_iter": 11}, "eval_iterations", 11),
        ({}, "learning_rate.kind", "cosine"),
        ({}, "learning_rate.rate", 3e-5),
        ({}, "learning_rate.t_max", 8000),
        ({"TrainConfig.learning_rate": 0.001}, "learning_rate.kind", "constant"),
        ({"TrainConfig.learning_rate": 0.001}, "learning_rate.rate", 0.001),
        ({}, "optimizer", "SGD"),
        ({}, "weight_decay", 4e-5),
        ({}, "target_drop", None),
        (
            {"TrainConfig.target_metric": 0.76, "TrainConfig.origin_metric": 0.77},
            "target_drop",
            pytest.approx(1.0),
        ),
        ({"TrainConfig.train_iter": 1, "Global.qat_batch_size": 4}, "images.count", 4),
        ({"Global.image_count": 7}, "images.count", 7),
    ],
)
def test_effect_of_a_key_on_training(home, changes, place, expected):
    told = spec_of(home, changes, "QAT").distillation
    assert reduce(getattr, place.split("."), told) == expected


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("moving_average_abs_max", "search"), ("range_abs_max", "abs_max")]
)
def test_ranges_that_training_starts_from(home, kind, algorithm):
    changes = {"QuantAware.activation_quantize_type": kind}
    assert spec_of(home, changes, "QAT").offline.algorithm == algorithm
    assert spec_of(home, changes, "PTQ").offline.algorithm == "avg"


def test_each_method_has_images_and_reading_of_its_own(home):
    changes = {
        "Global.qat_image_path": "training",
        "Global.qat_preprocess": "yolo_image_preprocess",
    }
    offline, trained = (spec_of(home, changes, method) for method in ("PTQ", "QAT"))
    assert offline.calibration.images == home / "calibration"
    assert isinstance(offline.preprocess.resize, Crop)
    assert trained.calibration.images == trained.distillation.images.images == home / "training"
    assert isinstance(trained.preprocess.resize, Letterbox)


@pytest.mark.parametrize("other", ["qat", "ptq"])
def test_what_the_other_method_needs_may_be_missing(home, other):
    changes = {f"Global.{other}_image_path": "gone", f"Global.{other}_preprocess": MISSING}
    spec = spec_of(home, changes, "PTQ" if other == "qat" else "QAT")
    assert spec.calibration.images.is_dir()


class TestLimit:
    def test_of_both_metrics(self, home):
        pair = {"TrainConfig.target_metric": 0.765, "TrainConfig.origin_metric": 0.77}
        (margin,) = spec_of(home, pair).margins
        assert margin.drop == pytest.approx(0.5)
        assert margin.source == "the config"

    def test_without_metrics(self, home):
        (margin,) = spec_of(home).margins
        assert margin.drop == 1.0

    @pytest.mark.parametrize(
        ("given", "other"),
        [("target_metric", "origin_metric"), ("origin_metric", "target_metric")],
    )
    def test_one_metric_alone_cannot_guide_training(self, home, given, other):
        assert refusal(home, {f"TrainConfig.{given}": 0.7}, "QAT") == (
            f"TrainConfig.{given} alone has no effect: without labels only what INT8 loses against"
            f" FP32 can be estimated; give TrainConfig.{other} too, or take it out"
        )
        assert spec_of(home, {f"TrainConfig.{given}": 0.7}, "PTQ").margins[0].drop == 1.0


class TestInputs:
    def test_image_beside_the_scale(self, home):
        names = {"Global.input_list": ["image", "scale_factor"]}
        spec = spec_of(home, names, contents=TWO_INPUTS)
        assert (spec.input, spec.task) == ("image", "detection")

    def test_unknown_name(self, home):
        assert refusal(home, {"Global.input_list": ["y"]}) == (
            "Global.input_list: the model has no input 'y', but x: name these"
        )

    def test_one_is_left_out(self, home):
        names = {"Global.input_list": ["image"]}
        assert refusal(home, names, contents=TWO_INPUTS) == (
            "Global.input_list: the model has the inputs image, scale_factor"
        )

    def test_nothing_can_fill_a_second_image(self, home):
        two = Contents({"a": [1, 3, 8, 8], "b": [1, 3, 8, 8]}, {"y": [1, 4]}, {})
        assert refusal(home, contents=two).startswith(
            "the model has the inputs a, b: say what fills those beside the image by"
            " Global.other_inputs"
        )


class TestFiles:
    def paddle(self, home: Path, **changes: object) -> dict[str, object]:
        (home / "My Model").mkdir(exist_ok=True)
        for name in ("inference.pdmodel", "inference.pdiparams", "weights.bin"):
            (home / "My Model" / name).write_bytes(b"")
        named = {
            "format": "paddle",
            "model_dir": "./My Model/",
            "model_filename": "inference.pdmodel",
            "params_filename": "inference.pdiparams",
            "input_list": ["x"],
        }
        return {f"Global.{key}": value for key, value in {**named, **changes}.items()}

    @pytest.mark.parametrize(
        ("params", "expected"),
        [("weights.bin", "weights.bin"), (MISSING, "inference.pdiparams")],
    )
    def test_paddle(self, home, params, expected):
        spec = spec_of(home, self.paddle(home, params_filename=params))
        assert spec.model == home / "My Model" / "inference.pdmodel"
        assert spec.params == home / "My Model" / expected
        assert (spec.name, spec.source_format) == ("my_model", "paddle")

    def test_onnx_in_a_folder(self, home):
        changes = {"Global.model_dir": ".", "Global.model_filename": "tiny.onnx"}
        assert spec_of(home, changes).model == home / "tiny.onnx"

    @pytest.mark.parametrize(
        ("changes", "part"),
        [
            ({"model_filename": "other.pdmodel"}, "Global.model_filename: there is no file "),
            ({"params_filename": "other"}, "Global.params_filename: there is no file "),
            ({"model_filename": "__model__"}, "Global.model_filename: '__model__' is no .pdmodel"),
            ({"model_filename": "../inference.pdmodel"}, "Global.model_filename: file name "),
            ({"params_filename": "/etc/passwd"}, "Global.params_filename: file name "),
            ({"model_dir": "gone"}, "Global.model_dir: there is no folder "),
        ],
    )
    def test_paddle_that_is_not_there(self, home, changes, part):
        assert refusal(home, self.paddle(home, **changes)).startswith(part)

    @pytest.mark.parametrize(
        ("changes", "part"),
        [
            ({"Global.model_dir": "gone.onnx"}, "Global.model_dir: there is no file "),
            ({"Global.model_dir": "config.yaml"}, "Global.model_dir: 'config.yaml' is no .onnx"),
            ({"Global.ptq_image_path": "gone"}, "Global.ptq_image_path: there is no folder "),
            ({"Global.ptq_image_path": MISSING}, "Global.ptq_image_path is missing"),
            ({"Global.ptq_preprocess": MISSING}, "Global.ptq_preprocess is missing"),
        ],
    )
    def test_what_is_not_there(self, home, changes, part):
        assert refusal(home, changes).startswith(part)

    def test_folder_without_images(self, home):
        (home / "none").mkdir()
        assert refusal(home, {"Global.ptq_image_path": "none"}) == (
            f"Global.ptq_image_path: there are no images in {home / 'none'}"
            ": put some there, or name another folder"
        )

    def test_names_that_a_spec_may_have(self, home):
        (home / "YOLO v5-s (6.0).onnx").write_bytes(b"")
        spec = spec_of(home, {"Global.model_dir": "YOLO v5-s (6.0).onnx"})
        assert spec.name == "yolo_v5_s__6.0_"


class TestReading:
    def test_centred_as_inference_is(self, home):
        changes = {"Global.ptq_preprocess": "yolo_image_preprocess"}
        preprocess = spec_of(home, changes, contents=DETECTOR).preprocess
        assert preprocess == Preprocess(
            resize=Letterbox(kind="letterbox", size=(640, 640), align="center", pad=114),
            color="rgb",
            scale=1 / 255,
        )

    @pytest.mark.parametrize(
        ("name", "resize", "mean"),
        [
            ("yolo_image_preprocess", Letterbox(kind="letterbox", size=(96, 64)), 0.0),
            ("cls_image_preprocess", Crop(kind="crop", size=(96, 64), short_side=73), 0.485),
            (
                "ppyoloe_withNMS_image_preprocess",
                Stretch(kind="stretch", size=(96, 64), interpolation="cubic"),
                0.485,
            ),
            (
                "ppyoloe_plus_withNMS_image_preprocess",
                Stretch(kind="stretch", size=(96, 64), interpolation="cubic"),
                0.0,
            ),
            ("ppseg_cityscapes_ptq_preprocess", Crop(kind="crop", size=(96, 64)), 0.5),
        ],
    )
    def test_size_is_the_model_s(self, name, resize, mean):
        found = reading(name, (96, 64))
        assert (found.resize, found.mean[0], found.scale) == (resize, mean, 1 / 255)
        assert described(found).count("96x64") == 1

    def test_usual_size_where_the_model_leaves_it_free(self):
        assert reading("cls_image_preprocess", (None, None)).resize == Crop(
            kind="crop", size=(224, 224), short_side=256
        )

    def test_mapping_as_in_a_spec(self, home):
        own = {"resize": {"kind": "stretch", "size": [32, 32]}, "color": "bgr"}
        preprocess = spec_of(home, {"Global.ptq_preprocess": own}).preprocess
        assert preprocess == Preprocess(resize=Stretch(kind="stretch", size=(32, 32)), color="bgr")

    def test_unknown_name(self, home):
        assert refusal(home, {"Global.ptq_preprocess": "__import__('os')"}) == (
            "Global.ptq_preprocess: there is no preprocessing \"__import__('os')\": known are "
            + ", ".join(KNOWN)
            + "; or write a mapping as the key preprocess of a spec file"
        )

    def test_name_that_is_known_and_not_possible(self, home):
        name = "ppseg_cityscapes_qat_preprocess"
        text = refusal(home, {"Global.qat_preprocess": name}, "QAT")
        assert text.startswith(f"Global.qat_preprocess: {name} is not possible: it crops and")

    def test_wrong_mapping(self, home):
        own = {"resize": {"kind": "stretch", "sizes": [32, 32]}}
        text = refusal(home, {"Global.ptq_preprocess": own})
        assert text == "Global.ptq_preprocess: key resize.size is missing"


def test_source_tells_the_model_s_name(home):
    path = home / "config.yaml"
    path.write_text(yaml.safe_dump(content()))
    assert source(load_config(path).config.general, home) == Source(
        home / "tiny.onnx", None, "tiny"
    )
