"""A stand-in for the maker's package, see `axidraw`."""
