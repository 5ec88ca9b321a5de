"""The house-price data set: columns, cleaning rules, expectations, features. The one package to replace for other data."""
