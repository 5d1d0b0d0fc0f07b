"""What every route uses: the hub, its database, limits and audited requests."""
