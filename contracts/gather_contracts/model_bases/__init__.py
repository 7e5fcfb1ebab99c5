"""What models are made from, so that importing them costs little."""
