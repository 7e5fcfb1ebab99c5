"""The gateway to the language model: requests, retries, circuit breaker, cache, prices and budget."""
