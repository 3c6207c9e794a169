"""`aocr train --auto`: a training from few labels that chooses its own options."""
