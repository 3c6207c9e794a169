"""Data sets: labelled images and TFRecords, lines to train on, batches."""
