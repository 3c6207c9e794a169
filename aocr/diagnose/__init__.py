"""`aocr diagnose`: what kind of pictures a folder holds, and how to train for them."""
