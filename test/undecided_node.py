"""The refdiff node with `untrained_mini`, for which any region is as good as any other."""

import sys

from refdiff_ros.models.untrained import OVERRIDES
from refdiff_ros.ros.node import main

OVERRIDES['onboard']['selection'] = {'ambiguity_margin': 100.0, 'rival_overlap': 1.0}
sys.exit(main())
