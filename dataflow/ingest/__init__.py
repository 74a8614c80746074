"""The bounded driver: sources that end, through the same core and the same journal as the pull loop. See README.md."""
