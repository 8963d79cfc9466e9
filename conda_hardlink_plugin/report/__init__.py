"""Results, named and with their units."""
