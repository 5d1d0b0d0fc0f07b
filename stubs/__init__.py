"""The simulated national systems: one generated population, and five systems that hold it over real HTTP."""
