"""TODO-decisions"""
