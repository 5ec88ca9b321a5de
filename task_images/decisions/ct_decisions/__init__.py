"""Decisions as data: policies, signals and gates, the rules that decide, and the sentences rendered from them."""
