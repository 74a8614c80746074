"""Where events come from; a source gives messages with positions and takes acknowledgements."""
