"""An INT8 file that was made elsewhere and that the spec names: it is measured as it is."""

from fqbench.environments import HERE
from fqbench.methods.record import Method

METHOD = Method(
    name="given",
    label="INT8 file as given",
    # Where a spec names such a file it has cells of its own, whatever is asked for.
    offered=False,
    learns=False,
    quick=True,
    images=lambda spec: {},
    backends=None,
    environment=HERE,
    packages=(),
    yields="model",
    plan=lambda model, backend: model.given(backend),
)
