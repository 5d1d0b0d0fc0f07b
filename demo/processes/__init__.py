"""The demo's processes: started, watched and stopped."""
