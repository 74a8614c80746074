"""Where rows go; a sink writes each commit group once, whatever fails on the way."""
