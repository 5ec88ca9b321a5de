"""A copy of database and registry as they were before one step of one run, to run that step again without harm."""
