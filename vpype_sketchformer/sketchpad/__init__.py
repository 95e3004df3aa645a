"""A page in the browser where one draws with the model: what stands behind `sketchpad`."""
