"""Which bits of CPUID hide which instruction sets, and the library that clears them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("mask.c")


@dataclass(frozen=True)
class Bits:
    """Bits of leaf 7: EBX, ECX, EDX of subleaf 0, EAX and EDX of subleaf 1.

    Intel, Architectures Software Developer's Manual, volume 2, CPUID, table of leaf 07H.
    """

    ebx: tuple[int, ...] = ()
    ecx: tuple[int, ...] = ()
    edx: tuple[int, ...] = ()
    eax_1: tuple[int, ...] = ()
    edx_1: tuple[int, ...] = ()

    def __add__(self, other: Bits) -> Bits:
        return Bits(
            self.ebx + other.ebx,
            self.ecx + other.ecx,
            self.edx + other.edx,
            self.eax_1 + other.eax_1,
            self.edx_1 + other.edx_1,
        )

    def words(self) -> str:
        """As the library reads them."""
        parts = (self.ebx, self.ecx, self.edx, self.eax_1, self.edx_1)
        return " ".join(f"{sum(1 << bit for bit in set(bits)):x}" for bits in parts)


AMX = Bits(edx=(22, 24, 25), eax_1=(21,), edx_1=(8,))
VNNI = Bits(ecx=(11,), eax_1=(4,), edx_1=(4, 10))
AVX512 = Bits(
    ebx=(16, 17, 21, 26, 27, 28, 30, 31), ecx=(1, 6, 12, 14), edx=(2, 3, 8, 23), eax_1=(5,)
)
"""AVX-512 with all of its extensions but VNNI."""

PROFILES: Mapping[str, Bits] = {
    "avx2": AMX + VNNI + AVX512,
    "avx512": AMX + VNNI,
    "vnni": AMX,
}
"""What is hidden so that this is left: AVX2; AVX-512 without VNNI; VNNI without AMX."""


class MaskError(Exception):
    """Why instruction sets cannot be hidden here."""


def hidden(profile: str, folder: Path) -> dict[str, str]:
    """Variables of an environment in which a process sees ``profile`` only.

    The library is compiled into ``folder``. Raises MaskError where that does not work here.
    """
    library = _compiled(folder)
    preloaded = ":".join(filter(None, (str(library), os.environ.get("LD_PRELOAD"))))
    variables = {"LD_PRELOAD": preloaded, "CPU_MASK": PROFILES[profile].words()}
    tried = subprocess.run(
        ["true"], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        raise MaskError(tried.stderr.strip() or "a process with hidden instruction sets failed")
    return variables


def _compiled(folder: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise MaskError("there is no C compiler: install one to hide instruction sets")
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    library = folder / f"cpu_mask-{digest}.so"
    if not library.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        partial = library.with_suffix(f".{os.getpid()}")
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(partial), str(SOURCE), "-ldl"]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise MaskError(f"the C compiler failed: {made.stderr.strip() or made.returncode}")
        partial.replace(library)
    return library
