"""The methods that the paper's Tables 1 and 2 compare Ref-Diff with, from this package's parts.

Each is what Ref-Diff's discriminative side becomes with other values: SAM's proposals, the cosine
of what CLIP sees of each and of what it reads, and the proposal of the highest one. None has a
positional bias (Eq. (6)), a generative score (Eq. (9)) or the geometry of `spatial`.

All four choose among the same proposals as Ref-Diff, those of SAM that pass the preset's filter.
The paper's figures of the first three are cited from Yu et al., whose proposals are FreeSOLO's.

What belongs to the models and not to a method is the preset's: how the root word is found, sizes,
batches, the margin of a crop, `patch_cover` and, for SAM-CLIP, how a crop is cut.

Sources: S. Yu, P. H. Seo, J. Son: Zero-shot Referring Image Segmentation with Global-Local Context
Features, CVPR 2023, arXiv:2303.17811, and the code that its authors published; M. Ni et al.,
arXiv:2308.16777, Sec. 4.2.
"""

from typing import Any

from refdiff_ros.presets import Mode, Preset

_SENTENCE = {'mix': 'cosine', 'positional': 'none', 'text': 'expression', 'text_sentence': 1.0}
# The whole image on CLIP's own square, read after the last layer.
_WHOLE_IMAGE = {'masked_input': 'square', 'layer': 'last'}
# The bounding box on one colour near CLIP's mean. Yu et al. squeeze the box to CLIP's square; here
# the window is square, so that the object keeps its shape, and has the preset's margin, which goes
# with what CLIP was trained on (1 is their box: 0.39 mIoU in place of 0.45 for Cropping on the
# first 60 validation cases of the tabletop set).
_CROP = {'crop_fit': 'box', 'crop_background': 'grey'}


def region_token(dataset: str = '') -> dict[str, Any]:
    """Region Token: the cosine of a class token that sees a proposal's patches alone, in every
    layer, and the whole sentence.

    A baseline of Yu et al. after J. Li et al.: Adapting CLIP for Phrase Localization Without
    Further Training, arXiv:2204.03647.

    Returns:
        Values of `DiscriminativeConfig`; the same for every data set.
    """
    return {**_SENTENCE, **_WHOLE_IMAGE, 'beta': 1.0, 'masking': 'attention'}


def cropping(dataset: str = '') -> dict[str, Any]:
    """Cropping: the cosine of a proposal's crop, its background painted over, and the sentence.

    A baseline of Yu et al., the local part of their visual encoder.

    Returns:
        Values of `DiscriminativeConfig`; the same for every data set.
    """
    return {**_SENTENCE, **_CROP, 'beta': 0.0}


def global_local_clip(dataset: str = '') -> dict[str, Any]:
    """Global-Local CLIP: the cosine of two mixes, each of a global and a local feature.

    Seen: alpha times the whole image without the proposal's foreign patches (`token_masking`),
    the rest the crop. Read: beta times the sentence, the rest the target's noun phrase. Alpha is
    0.85 for RefCOCOg and 0.95 for every other data set, beta 0.5, and patches are masked in the
    last 3 of 12 layers: values of the authors' code. Alpha is `discriminative.beta` here, beta
    `discriminative.text_sentence`.

    Features have length 1 when they are mixed; in the authors' code they have the length that
    CLIP gives them. The noun phrase is `ReferringExpression.phrase`, without words for places;
    there it is spaCy's noun chunk around the root of the dependency tree.

    Args:
        dataset: that is asked; '' for one that Yu et al. have not.

    Returns:
        Values of `DiscriminativeConfig`.
    """
    alpha = 0.85 if dataset.startswith('refcocog') else 0.95
    return {**_SENTENCE, **_WHOLE_IMAGE, **_CROP, 'beta': alpha, 'masking': 'tokens',
            'text_sentence': 0.5, 'text_local': 'phrase'}


def sam_clip(dataset: str = '') -> dict[str, Any]:
    """SAM-CLIP: Eq. (10) of the plain image encoder alone, the cosine of f(x * M) and the mean of
    sentence and root word.

    The paper's own baseline. It names Eq. (10) and no crop: that is cut as the preset reads the
    f(x * M) of Eq. (7).

    Returns:
        Values of `DiscriminativeConfig`; the same for every data set.
    """
    return {**_SENTENCE, 'beta': 0.0, 'text_sentence': 0.5, 'text_local': 'root'}


BASELINES = {each.__name__: each for each in (region_token, cropping, global_local_clip, sam_clip)}
METHODS = (*(mode.value for mode in Mode), *BASELINES)


def method_preset(preset: Preset, method: str, dataset: str = '') -> Preset:
    """The values with which an engine of `method_mode` answers as a method does.

    Args:
        preset: with the bundle's tuned values.
        method: one of `METHODS`; a mode leaves the preset as it is.
        dataset: that is asked, for values that were published by data set.
    """
    if method not in BASELINES:
        return preset
    return preset.override({
        'discriminative': BASELINES[method](dataset), 'spatial': {'kind': 'none'}})


def method_mode(method: str) -> Mode:
    """The engine's mode for one of `METHODS`; a baseline takes segmentor and CLIP."""
    return Mode.DS if method in BASELINES else Mode(method)
