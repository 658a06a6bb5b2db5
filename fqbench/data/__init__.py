"""Images to evaluate on and to calibrate with."""

from fqbench.data.evaluation import EvaluationSet, Sample, open_dataset

__all__ = ["EvaluationSet", "Sample", "open_dataset"]
