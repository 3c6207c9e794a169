"""From class probabilities to text: greedy decoding, beam search, constraints, calibration."""
