"""One run over many processes, on this machine or on several, by Ray."""
