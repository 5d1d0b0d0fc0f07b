"""Whether a connector keeps what it promises: tried against its real source, or against a recording of it."""
