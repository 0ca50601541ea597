"""One file per stage: each asks a rule and answers a decision."""
