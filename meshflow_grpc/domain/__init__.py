"""The nouns of the product: frozen dataclasses, enums and errors. Standard library only."""
