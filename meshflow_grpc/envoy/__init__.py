"""Envoy in front of the gRPC server: its configuration, and its life as a child process."""
