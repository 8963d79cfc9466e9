"""The report index: what the last report found, so that the next one reads only changes."""
