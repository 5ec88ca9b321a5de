"""TODO-validate"""
