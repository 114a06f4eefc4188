"""The configuration file: `schema` says what it may hold, `load` reads it and names every mistake by line."""
