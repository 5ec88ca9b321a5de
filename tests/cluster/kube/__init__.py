"""The real cluster under test: kubectl, the platform that the tests bring up in it, and what they watch."""
