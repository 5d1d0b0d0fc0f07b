"""One citizen's story: forms, feed entry, access log and a submitted form."""
