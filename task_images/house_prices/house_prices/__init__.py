"""TODO-house_prices"""
