"""One question to a model: what a refusal says, how long an answer may be, what comes next, one request."""
