"""The command `aocr`, and all that ships a model: exports, the server, Beam pipelines."""
