"""Where the checkout under test is."""

from __future__ import annotations

import os

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
