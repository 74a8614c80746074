"""Access as code: the JSON files that say who sees what, and the engine that answers from them."""
