"""Making and measuring a calibration of duplicates from labelled pairs; no pod needs it."""
