"""The mesh: how this server finds, proves itself to, watches and calls other nodes."""
