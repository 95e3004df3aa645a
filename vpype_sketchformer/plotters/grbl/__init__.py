"""A machine that runs GRBL: the link, the plan, the plot, the codes."""
