"""TODO-train"""
