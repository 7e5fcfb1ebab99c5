"""The table of the model's answers: read from tests/data/model_answers, served by an endpoint in the process."""
