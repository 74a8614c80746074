"""The data plane: contracts, policy, the anonymizer core, methods, operators, sources, sinks, keys, ledger, two
drivers."""
