"""The lake: immutable objects and one manifest per hour, in a folder or in S3."""
