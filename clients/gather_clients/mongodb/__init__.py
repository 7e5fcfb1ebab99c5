"""How MongoDB is opened; importing it costs memory for the driver."""
