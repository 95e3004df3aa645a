"""A vpype plug-in that draws: sketches by a transformer trained on human drawings."""

# What holds where nobody says otherwise, chosen from docs/frontier.svg. Here, so that options
# can name it without loading the model's code.

#: How freely lines are drawn.
DEFAULT_TEMPERATURE = 0.6
#: How freely a drawing goes its own way.
DEFAULT_STRUCTURE_TEMPERATURE = 0.7
#: How much more freely it chooses where a stroke begins.
DEFAULT_LAYOUT = 1.7
#: How much to insist on the class.
DEFAULT_GUIDANCE = 1.5
#: How often to draw each sketch, to keep the best.
DEFAULT_TRIES = 6

# The same where it has to fit what is there already: the layout is given, so calmer, and
# closer to the class.

#: How freely lines are drawn.
COMPLETION_TEMPERATURE = 0.6
#: How freely a drawing goes its own way.
COMPLETION_STRUCTURE_TEMPERATURE = 0.8
#: How much to insist on the class.
COMPLETION_GUIDANCE = 2.5
#: How often to draw each, to keep the one that fits best.
COMPLETION_TRIES = 8

# The same where a code tells what to draw: what is to differ differs in the code, so the lines
# are calm.

#: How freely lines are drawn.
CALM_TEMPERATURE = 0.3
#: How freely a drawing goes its own way.
CALM_STRUCTURE_TEMPERATURE = 0.5
#: How often to draw what a code tells, to keep the best.
CALM_TRIES = 6
#: How different others like a drawing are from it, see ``Encoder.vary``.
DEFAULT_AMOUNT = 0.5
#: How much to insist on class and code.
CALM_GUIDANCE = 2.0
#: The same on the way from one to another.
MORPH_GUIDANCE = 1.0
