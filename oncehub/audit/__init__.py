"""The access log: who asked for whose data, by what right, and what was answered."""
