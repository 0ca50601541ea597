"""Ways to find out who calls. The tenant comes from the credential alone, never from a request."""
