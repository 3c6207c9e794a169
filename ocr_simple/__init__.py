"""The parts of ocr_simple. They import neither the main scripts in the root nor aocr/."""
