"""What a model answered for an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fqbench.vision.decode import Answer, Detections


@dataclass(frozen=True)
class Prediction:
    """The answer for the image with this id: detections, or a class."""

    image_id: int
    answer: Answer

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        if isinstance(self.answer, Detections):
            return {
                "image_id": self.image_id,
                "boxes": np.asarray(self.answer.boxes, dtype=np.float64).round(3).tolist(),
                "scores": np.asarray(self.answer.scores, dtype=np.float64).round(6).tolist(),
                "labels": self.answer.labels.tolist(),
            }
        return {"image_id": self.image_id, "label": self.answer}

    @staticmethod
    def from_json(data: dict[str, Any]) -> Prediction:
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
