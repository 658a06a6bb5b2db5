"""Methods, one record each: what makes INT8 models."""

from fqbench.methods.record import Method, ModelPlan
from fqbench.methods.registry import DEFAULT, method, methods, offered

__all__ = ["DEFAULT", "Method", "ModelPlan", "method", "methods", "offered"]
