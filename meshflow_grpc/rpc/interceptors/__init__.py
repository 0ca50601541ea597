"""One file per interceptor. Each wraps a handler once, at start-up; nothing is looked up per call."""
