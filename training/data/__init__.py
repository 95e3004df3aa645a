"""Drawings: readers, the dataset file, batches."""
