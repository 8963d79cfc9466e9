"""The index: what the last report found, so that the next one reads again only what changed."""
