"""Carry out a promotion decision: the ledger first, then MLflow's aliases and tags."""
