"""Methods, one record each: what makes INT8 models."""

from fqbench.methods.record import Method, ModelPlan
from fqbench.methods.registry import DEFAULT, check_offered, method, methods, offered

__all__ = ["DEFAULT", "Method", "ModelPlan", "check_offered", "method", "methods", "offered"]
