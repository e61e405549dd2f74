"""Many processes and threads at once on the same tickets and people."""
