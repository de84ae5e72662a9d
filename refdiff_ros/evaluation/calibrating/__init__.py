"""Calibration on data whose truth is known: the fit, its check and the command."""
