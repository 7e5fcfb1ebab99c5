"""What words say in many languages, and in which of them two texts differ; pure."""
