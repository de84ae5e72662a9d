"""NumPy's matrix products on one thread.

OpenBLAS, which multiplies for NumPy, has threads of its own. After each product they wait busily
for the next, on the cores that torch's threads need: an answer of small models takes twice as long
on two cores. What is multiplied with NumPy here is too small to gain from them.
"""

from pathlib import Path

from refdiff_ros.errors import MissingPackageError
from refdiff_ros.optional import require_package

# What waits busily; Intel's MKL does not.
_WAITING = ('openblas', 'blis')


def use_one_blas_thread() -> None:
    """From now on NumPy multiplies on one thread in this process, whoever calls it.

    `threadpoolctl.threadpool_limits` gives it more again. To change the number for each answer
    would be no help: whenever it rises, the threads wake up and wait. Without the package
    threadpoolctl nothing changes.
    """
    try:
        controller = require_package('threadpoolctl', 'models').ThreadpoolController()
    except MissingPackageError:
        return
    for library in controller.lib_controllers:
        # The one in torch's folder is torch's own.
        if library.internal_api in _WAITING and 'torch' not in Path(library.filepath).parts:
            library.set_num_threads(1)
