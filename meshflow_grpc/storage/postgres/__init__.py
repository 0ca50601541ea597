"""The PostgreSQL store: the twin of the SQLite one, file by file."""
