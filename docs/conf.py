"""The documentation site: `make docs` builds it into docs/_build."""

import os
import sys

from conda_hardlink_plugin import __version__

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "_extensions"))

project = "conda-hardlink-plugin"
release = version = __version__
extensions = ["myst_parser", "sphinx_argparse_cli", "schema_reference"]
exclude_patterns = ["_build"]
nitpicky = True
myst_heading_anchors = 4  # what `page.md#a-heading` leads to, as on a code host
html_theme = "conda_sphinx_theme"
html_title = project
html_show_copyright = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
smartquotes = False  # options begin with two hyphens
