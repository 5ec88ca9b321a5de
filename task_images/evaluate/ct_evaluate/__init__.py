"""TODO-evaluate"""
