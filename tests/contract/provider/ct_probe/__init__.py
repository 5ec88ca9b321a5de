"""A task image of the tests: a real program that ends in every way that a program can end."""
