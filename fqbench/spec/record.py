"""What every part of a spec is."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A mapping of a spec: frozen, and without keys that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
