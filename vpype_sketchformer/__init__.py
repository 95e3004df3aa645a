"""A vpype plug-in that draws: sketches by a transformer trained on human drawings."""
