"""The configuration of the documentation site: `make docs` builds it into docs/_build."""

import os
import sys

from conda_hardlink_plugin import __version__

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(_HERE, "_extensions"))

from repository_links import address_in, edit_links, icon_links  # noqa: E402  # found there

project = "conda-hardlink-plugin"
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_reference",
    "schema_reference",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
nitpicky = True
# Only public names of the plugin are checked: other projects have no inventory without a network.
nitpick_ignore_regex = [("py:.*", r"(?!conda_hardlink_plugin\.\w+$).*")]
default_role = "code"  # as in Markdown: what docstrings have in single backticks is code
autodoc_member_order = "bysource"
myst_heading_anchors = 4  # links such as `page.md#a-heading` work as on a code host
smartquotes = False  # options begin with two hyphens

_repository = address_in(os.path.join(_HERE, os.pardir, "pyproject.toml"))
html_theme = "conda_sphinx_theme"
html_theme_options = {
    "icon_links": icon_links(_repository),
    "use_edit_page_button": bool(edit_links(_repository)),
}
html_sidebars = {"**": ["plugin-version.html", "_templates/sidebar-nav-bs.html"]}
html_context = edit_links(_repository)
html_title = f"{project} {release}"
html_show_copyright = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
