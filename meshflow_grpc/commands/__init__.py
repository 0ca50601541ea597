"""One file per RPC: what a caller may ask for, in domain words."""
