"""Between wire messages and domain objects. Parsed, not validated: what comes out is well-formed."""
