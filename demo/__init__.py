"""The whole hub on one machine: `python -m demo`, which `make demo` runs."""
