"""Estimated errors of settings of one quantized model, each computed once."""

from __future__ import annotations

from fqbench.backends.variants import Variants
from fqbench.graph.executor import Executable, execute
from fqbench.quantize.setting import Setting
from fqbench.tune.estimators import ErrorEstimator


class SettingErrors:
    """Relative squared errors against FP32, as ``estimator`` finds them.

    ``real``: whether the backend itself computes what errors are found by.
    """

    def __init__(self, made: Variants, estimator: ErrorEstimator) -> None:
        self.variants, self._estimator = made, estimator
        self.real = made.runs(estimator.names)
        self._known: dict[tuple[Setting, int | None], float] = {}

    def of(self, setting: Setting, images: int | None = None) -> float:
        """Of the model in ``setting`` on the first ``images``, as the runtime runs it."""
        if (setting, images) not in self._known:
            executable = self.variants.executable(setting, self._estimator.names)
            self._known[setting, images] = self._estimator.error(executable, images)
        return self._known[setting, images]

    def emulated(self, setting: Setting) -> float:
        """Of the model in ``setting``, on a CPU whose kernels do not saturate."""
        graph = self.variants.emulated(setting)
        executable: Executable = execute(graph, self._estimator.names, fuse_pairs=False)
        return self._estimator.error(executable)
