"""Archives to unpack, honest and hostile."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

MODEL = {
    "yolov5s_infer/model.pdmodel": b"program" * 1000,
    "yolov5s_infer/model.pdiparams": b"weights" * 9000,
}


def tar(path: Path, files: Mapping[str, bytes], *others: tarfile.TarInfo) -> Path:
    """A tar file, compressed by the ending of its name; ``others``: members without content."""
    mode = "w:gz" if path.name.endswith("gz") else "w"
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            archive.addfile(member(name, size=len(content)), io.BytesIO(content))
        for info in others:
            archive.addfile(info)
    return path


def tar_bytes(files: Mapping[str, bytes], folder: Path, name: str = "made.tar") -> bytes:
    return tar(folder / name, files).read_bytes()


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def zipped(path: Path, files: Sequence[tuple[str, bytes]], mode: int = 0) -> Path:
    """A zip file; ``mode``: what Unix would say each member is."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return path
