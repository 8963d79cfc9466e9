"""The plan of a clean, and its execution without ever breaking an environment."""
