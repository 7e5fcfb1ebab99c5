"""The table of the model's answers (tests/data/model_answers), and an endpoint that gives them."""
