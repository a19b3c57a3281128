"""Architecture search: the space of paths through a supernet, what they cost, how they are searched."""
