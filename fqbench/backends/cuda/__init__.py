"""CUDA: memory, streams, events and graphs. All calls of CUDA that fqbench makes are made here."""

from fqbench.backends.cuda.base import Cuda, CudaError, OutOfMemory
from fqbench.backends.cuda.provider import missing, open_cuda

__all__ = ["Cuda", "CudaError", "OutOfMemory", "missing", "open_cuda"]
