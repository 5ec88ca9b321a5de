"""TODO-promote"""
