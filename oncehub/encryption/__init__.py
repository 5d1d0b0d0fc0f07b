"""Field encryption: values under data keys, the ring that wraps these, blind indexes, rotation."""
