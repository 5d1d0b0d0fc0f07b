"""HTTP details: middleware, strict JSON, problem documents and the OpenAPI description."""
