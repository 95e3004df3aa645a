"""The model: network, prefill, sampling, completion, and the file that holds it."""
