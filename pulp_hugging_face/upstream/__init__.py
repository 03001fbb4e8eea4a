"""The only code that opens a connection to another server."""
