"""The access log: who asked for which person's data, on which legal basis, and what was answered."""
