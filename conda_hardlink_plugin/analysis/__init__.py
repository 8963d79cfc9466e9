"""What the inventory and the records mean: usage, users of packages, verdicts, causes."""
