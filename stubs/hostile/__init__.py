"""A simulated source that serves one register in any way the engine can read, and misbehaves by name.

It is the land-use register (sổ địa chính) of a fictional agency: holders of certificates and their documents.
`Variant` says how it is served, `stubs.hostile.plants` what goes wrong, `HostileSource` starts and steers it.
"""
