"""The register that the hostile source serves."""
