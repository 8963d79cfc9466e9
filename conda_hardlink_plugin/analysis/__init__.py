"""What the inventory and the records mean: usage, package users, verdicts, causes."""
