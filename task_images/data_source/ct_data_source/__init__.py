"""A faithful replica of the class data API: six batches of house listings behind a cursor that every answer moves."""
