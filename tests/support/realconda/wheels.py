"""Small real wheels, for what pip puts into a conda environment."""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from typing import TYPE_CHECKING

from tests.support.realconda.packages import made_up

if TYPE_CHECKING:
    from collections.abc import Mapping


def write_wheel(
    directory: str, name: str, version: str, files: Mapping[str, str | bytes | int]
) -> str:
    """Write a pure-Python wheel and return its path.

    Args:
        directory: Where to write it; made if it is missing.
        name: The distribution's name, without characters that a wheel's name escapes.
        version: Its version.
        files: Path in ``site-packages`` to content, as for ``PackageSpec``.
    """
    info = f"{name}-{version}.dist-info"
    contents = {
        path: made_up(path, content, name)
        if isinstance(content, int)
        else content.encode()
        if isinstance(content, str)
        else content
        for path, content in files.items()
    }
    contents[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    )
    contents[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: realconda\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = "".join(
        f"{path},sha256={_digest(content)},{len(content)}\n" for path, content in contents.items()
    )
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    os.makedirs(directory, exist_ok=True)
    wheel_path = os.path.join(directory, f"{name}-{version}-py3-none-any.whl")
    with zipfile.ZipFile(wheel_path, "w") as wheel:
        for path, content in contents.items():
            wheel.writestr(path, content)
    return wheel_path


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
