"""Field encryption: AES-256-GCM values, the key ring, blind indexes and key rotation."""
