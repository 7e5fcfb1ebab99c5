"""What stands in a model's text, whatever is around it: JSON as models write it, what they only thought."""
