"""HTTP requests to a source: sessions, retries, deadlines and rate limits."""
