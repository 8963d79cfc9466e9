"""What the documents show: commands that are run, pictures that are drawn from real runs."""
