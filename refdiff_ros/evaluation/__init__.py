"""How well expressions are answered: metrics, data to measure them on, tables."""
