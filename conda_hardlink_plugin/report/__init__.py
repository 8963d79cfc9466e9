"""Named results with units: reports, explanations and summaries."""
