"""`aocr label`: a page on which the pictures of a folder get their labels."""
