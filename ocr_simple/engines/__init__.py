"""What computes a network's outputs when images are read: Keras, or ONNX Runtime."""
