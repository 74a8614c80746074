"""What a change of files, policy or models changes in who can read which column."""
