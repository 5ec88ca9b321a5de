"""A synthetic housing market: places with prices of their own, homes, dates, brokers, re-listings and known defects."""
