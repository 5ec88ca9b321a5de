"""TODO-collect"""
