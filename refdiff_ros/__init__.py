# Nothing is imported here, so that a package which only uses the messages needs no torch.
