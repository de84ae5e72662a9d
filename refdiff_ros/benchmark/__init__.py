"""`refdiff bench`: what an answer costs, stage by stage, beside the published order of work."""

LEGEND = """\
GFLOP: matrix products, convolutions and attention, two operations a multiply-add. moved: what
torch's operations read and write at least once. of peak: the larger of both rates in parts of the
machine's, measured in this run; c where that is arithmetic, m where it is memory (caches may take
it above 100 %). memory: the most in use, models included; on a CPU that is the whole process.
tensors: the most that torch's tensors held of it. Work in NumPy, Pillow and OpenCV has seconds
alone."""
