"""What must outlive Redis until a webhook has it: written by workers and operator, read by the bridge."""
