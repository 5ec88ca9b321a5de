"""The pages: each asks data, charts and text, and shows what they answer.

Not named "pages": Streamlit takes a folder of that name beside the entry point for its own.
"""
