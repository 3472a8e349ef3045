"""The Events API's bodies, and how many small requests become few inserts."""
