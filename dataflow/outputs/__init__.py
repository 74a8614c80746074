"""Where staged entries go beside the tables: the topic of anonymized rows, the archive."""
