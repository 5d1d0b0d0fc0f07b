"""What an integration engineer is helped with: a first connector, its contract and mapping, its page."""
