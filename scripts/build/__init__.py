"""`noren build`: dbt's models, built by dbt in a process of its own."""
