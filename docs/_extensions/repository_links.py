"""Links of the site to the repository, from the address in pyproject.toml."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BRANCH = "main"
_FOLDER = "docs"
_PLACEHOLDER = ".invalid"  # a domain that never exists (RFC 2606)
_HOSTS = {"github.com": "github", "gitlab.com": "gitlab"}


def address_in(path: str) -> str:
    """Return the address of the repository, or `""` if pyproject.toml has only a placeholder."""
    with open(path, "rb") as file:
        address = str(tomllib.load(file)["project"]["urls"]["Repository"])
    host = urlsplit(address).hostname or ""
    return "" if host.endswith(_PLACEHOLDER) else address.removesuffix("/")


def icon_links(address: str) -> list[dict[str, str]]:
    """Return the link to the repository for the header of the theme, as its option `icon_links`."""
    if not address:
        return []
    host = _HOSTS.get(urlsplit(address).hostname or "")
    icon = f"fa-brands fa-{host}" if host else "fa-solid fa-code-branch"
    return [{"name": "Repository", "url": address, "icon": icon, "type": "fontawesome"}]


def edit_links(address: str) -> dict[str, str]:
    """Return what the theme needs to link each page to its editor, as `html_context`.

    The result is empty if there is no address, or if the host is none whose editor is known.
    """
    parts = urlsplit(address)
    host = _HOSTS.get(parts.hostname or "")
    owner, _, name = parts.path.strip("/").rpartition("/")
    if not host or not owner:
        return {}
    return {
        f"{host}_user": owner,
        f"{host}_repo": name.removesuffix(".git"),
        f"{host}_version": BRANCH,
        "doc_path": _FOLDER,
    }
