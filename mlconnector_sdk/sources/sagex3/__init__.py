"""Sage X3 through api1 (Syracuse REST) or GraphQL."""
