"""How YAML writes what more than one document needs: paths, and templates of requests."""
