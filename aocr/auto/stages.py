"""What the labelling page knows of `aocr train --auto`: its messages."""

# what it says when a stage of it begins
LOOKING = "Looking for recipes that draw lines like your pictures"
STARTING = "Starting from"  # a model
FOLD = "Fold"  # N of M: one of several trainings
COMPARING = "Comparing with"  # the model that it began with
