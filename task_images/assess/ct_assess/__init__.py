"""TODO-assess"""
