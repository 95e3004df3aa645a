"""Lengths in vpype's pixels, 96 to the inch."""

CM = 96 / 2.54
MM = 96 / 25.4

#: How far a flattened curve may be from the true one: less than a pen shows.
FLATNESS = 0.005 * CM
