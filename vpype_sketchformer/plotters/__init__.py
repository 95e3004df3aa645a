"""Pen plotters: what the machines at the end of a pipeline need to be told."""
