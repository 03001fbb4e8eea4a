"""HTTP in, HTTP out: the routes of a Hub endpoint."""
