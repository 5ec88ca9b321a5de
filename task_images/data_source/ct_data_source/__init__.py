"""TODO-data_source"""
