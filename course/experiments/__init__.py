"""What the papers claim and what the course ships, regenerated: one file a module, one command
each."""
