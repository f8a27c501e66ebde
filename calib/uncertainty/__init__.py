"""How unsure a model is, by many measures of its answers."""
