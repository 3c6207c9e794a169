"""`aocr export --format web`: a page that reads in the browser, with no server."""
