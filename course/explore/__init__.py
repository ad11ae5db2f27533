"""An interactive page: maps of several networks, while these are destroyed layer by layer."""
