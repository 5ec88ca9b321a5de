"""TODO-clean"""
