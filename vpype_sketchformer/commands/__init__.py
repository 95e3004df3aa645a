"""The vpype commands: options in, vpype document out.

vpype imports this package whichever command of ours it wants first, so here is the place to
offer the profiles to gwrite.
"""

from vpype_sketchformer.plotters import gcode

gcode.register()
