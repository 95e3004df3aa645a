"""A vpype plug-in that draws: sketches by a transformer trained on human drawings."""

#: How freely lines are drawn, and how freely a drawing goes its own way, where nobody says.
#: Here, so that options can name them without loading the model's code.
DEFAULT_TEMPERATURE = 0.3
DEFAULT_STRUCTURE_TEMPERATURE = 0.3
