"""A bag played to the node on a real graph: playing, recording the answers, scoring them."""
