"""The local stack from outside: Prefect's server and workers as processes, spoken to over the REST API alone."""
