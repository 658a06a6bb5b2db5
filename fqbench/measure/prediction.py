"""What a model answered for an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fqbench.vision.decode import Answer, Detections


@dataclass(frozen=True)
class Prediction:
    """The answer for the image with this id: detections, or a class."""

    image_id: int
    answer: Answer

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, from which ``from_json`` makes exactly the same answer."""
        if isinstance(self.answer, Detections):
            return {
                "image_id": self.image_id,
                "boxes": _decimals(self.answer.boxes),
                "scores": _decimals(self.answer.scores),
                "labels": self.answer.labels.tolist(),
            }
        return {"image_id": self.image_id, "label": self.answer}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Prediction:
        """Read what ``to_json`` wrote."""
        if "label" in data:
            return Prediction(data["image_id"], int(data["label"]))
        return Prediction(
            data["image_id"],
            Detections(
                np.asarray(data["boxes"], dtype=np.float32).reshape(-1, 4),
                np.asarray(data["scores"], dtype=np.float32),
                np.asarray(data["labels"], dtype=np.int64),
            ),
        )


def _decimals(values: NDArray[np.float32]) -> Any:
    """The shortest decimal numbers that still tell each float32 apart: half of the digits."""
    return values.astype(np.float32).astype(str).astype(np.float64).tolist()
