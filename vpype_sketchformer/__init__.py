"""A vpype plug-in that draws: sketches by a transformer trained on human drawings."""

#: How freely lines are drawn where nobody says: typical drawings, few accidents. Here, so
#: that options can name it without loading the model's code.
DEFAULT_TEMPERATURE = 0.3
