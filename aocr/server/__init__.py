"""The server of exported models: `aocr serve`."""
