"""The coefficients by which a bundle's scores become probabilities; see `calibration`."""

from dataclasses import dataclass
import math

from refdiff_ros.config import require


@dataclass(frozen=True)
class FitWeights:
    """Coefficients of the log odds that the expression is true of a region.

    Attributes:
        bias: of its own.
        match: of the combined score without what places added.
        spatial: of what places added, 0 or less.
        attention: of the generative score (Eq. 9).
        quality: of the segmentor's own estimate of the mask.
        colour_clash: where the phrase names one colour and the region plainly has another.
        spatial_least: what places added counts down to this; a place that contradicts the words
            can do no worse.
    """

    bias: float = 0.0
    match: float = 0.0
    spatial: float = 0.0
    attention: float = 0.0
    quality: float = 0.0
    colour_clash: float = 0.0
    spatial_least: float = -1.0

    def __post_init__(self):
        for name, value in vars(self).items():
            require(math.isfinite(value), f'calibration.fit.{name} as a finite number', value)


@dataclass(frozen=True)
class CalibrationConfig:
    """A bundle's calibration for one preset.

    Attributes:
        mode: of the engine in which it holds; '' where there is none.
        fit: the model of one region.
        bias, slope: of the log odds that the mask is right, on those of the best region's
            probability to fit times its share.
        not_found_below: NOT_FOUND where no region fits with this probability.
        fits_from: AMBIGUOUS where another region fits with this probability.
    """

    mode: str = ''
    fit: FitWeights = FitWeights()
    bias: float = 0.0
    slope: float = 1.0
    not_found_below: float = 0.0
    fits_from: float = 1.0

    def __post_init__(self):
        require(math.isfinite(self.bias) and math.isfinite(self.slope),
                'calibration.bias and slope as finite numbers', (self.bias, self.slope))
        require(self.mode in ('', 'G', 'GS', 'DS', 'full'),
                "calibration.mode '', 'G', 'GS', 'DS' or 'full'", self.mode)
        require(0 <= self.not_found_below <= 1 and 0 < self.fits_from <= 1,
                'calibration.not_found_below and fits_from in 0..1',
                (self.not_found_below, self.fits_from))
