"""The vpype commands: options in, vpype document out."""
