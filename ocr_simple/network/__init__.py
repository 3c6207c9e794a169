"""The network: encoders, layers, the attention head, and Keras."""
