"""How each stage of the method is done: its options, checked once.

`presets` puts them together to whole readings of the method.
"""

from dataclasses import dataclass
import enum
import math

from refdiff_ros.errors import BadRequestError


class Mode(str, enum.Enum):
    """The ablations of the paper (Tables 4 and 5)."""

    G = 'G'  # generative only: weight-free proposals (Eq. (8)) and generative score (Eq. (9))
    GS = 'GS'  # segmentor's proposals and generative score
    DS = 'DS'  # segmentor's proposals and discriminative score (Eq. (10))
    FULL = 'full'  # segmentor's proposals and both scores (Eq. (1))

    @property
    def generative(self) -> bool:
        """Whether the diffusion model is used."""
        return self is not Mode.DS

    @property
    def discriminative(self) -> bool:
        """Whether CLIP is used."""
        return self in (Mode.DS, Mode.FULL)

    @property
    def segmentor(self) -> bool:
        """Whether proposals come from SAM."""
        return self is not Mode.G


def require(condition: bool, what: str, got: object) -> None:
    """Check a value of a configuration.

    Args:
        condition: whether it holds.
        what: what was expected, in words.
        got: what came.

    Raises:
        BadRequestError: the condition does not hold.
    """
    if not condition:
        raise BadRequestError(f'expected {what}, got {got!r}')


@dataclass(frozen=True)
class GenerativeConfig:
    """Eq. (3) to (5): from an image and a root token to the correlation map c.

    Attributes:
        image_size: side of the square that the diffusion model sees, pixels.
        fit: 'letterbox' (scaled to fit, padded) or 'center_square' (pasted centred on a black
            square of the longer side, Lanczos to `image_size`).
        pad_square: the diffusion model sees the whole square; False, for 'letterbox', pads the
            shorter side only to the next multiple that VAE and UNet can halve.
        schedule_steps: uniform steps of the DDIM schedule.
        start_step: steps before the schedule's end at which noise is added (Eq. (3)'s t).
        noise_ahead: steps by which the level of the added noise lies before the first timestep
            that is run; 0 but for the authors' code, which adds noise at 101 and runs 51 and 1.
        unet_steps: how many of the remaining steps are run and captured; the truncated pass
            ends the last of them at the last captured layer.
        attention: 'softmax' (Eq. (4)) or 'logits'.
        guidance_scale: None for the conditional pass alone; else (cond - uncond)*g + uncond on
            the captured maps and on the predicted noise.
        layers: names of captured cross-attention modules; empty for all of them, or
            'released', the five 32x32 layers of Stable Diffusion at 1024 px (2 down, 3 up).
        normalise: 'once' (Eq. (5) after the mean over layers and steps), 'picture' (likewise, over
            the picture without its padding) or 'each' (min-max per layer and step without
            epsilon, mean, 8 bit, Lanczos, crop, min-max again).
        sub_tokens: 'mean' or 'last': which sub-tokens stand for a root split into several.
        prompt_suffix: text appended to the prompt.
        prompt: what the diffusion model reads: the whole 'expression', or the root's own 'phrase'
            ('the red mug'), without its place and without other objects.
        words: whose maps make c: the 'root' alone, or every word of the 'phrase' but articles;
            the latter needs `prompt` 'phrase'.
        mask_padding: the UNet attends to the start token and the words alone, not to the end
            token and padding; for a model that was trained so.
        sample_posterior: sample the VAE's posterior (True) or take its mean.
        information: noised copies of the picture in which is measured what the prompt adds to
            denoising (`generative/information.py`); c is taken times that. 0 for attention alone,
            as in the paper; each costs two evaluations of the UNet, one of them per expression.
    """

    image_size: int = 512
    fit: str = 'letterbox'
    pad_square: bool = True
    schedule_steps: int = 20
    start_step: int = 2
    noise_ahead: int = 0
    unet_steps: int = 1
    attention: str = 'softmax'
    guidance_scale: float | None = None
    layers: tuple[str, ...] = ()
    normalise: str = 'once'
    sub_tokens: str = 'mean'
    prompt_suffix: str = ''
    prompt: str = 'expression'
    words: str = 'root'
    mask_padding: bool = False
    sample_posterior: bool = False
    information: int = 0

    def __post_init__(self):
        require(self.image_size >= 8, 'generative.image_size >= 8', self.image_size)
        require(self.fit in ('letterbox', 'center_square'),
                "generative.fit 'letterbox' or 'center_square'", self.fit)
        require(self.pad_square or self.fit == 'letterbox',
                "generative.pad_square, or fit 'letterbox'", self.fit)
        require(self.attention in ('softmax', 'logits'),
                "generative.attention 'softmax' or 'logits'", self.attention)
        require(self.normalise in ('once', 'picture', 'each'),
                "generative.normalise 'once', 'picture' or 'each'", self.normalise)
        require(self.noise_ahead >= 0, 'generative.noise_ahead >= 0', self.noise_ahead)
        require(self.information >= 0, 'generative.information >= 0', self.information)
        require(self.sub_tokens in ('mean', 'last'),
                "generative.sub_tokens 'mean' or 'last'", self.sub_tokens)
        require(self.prompt in ('expression', 'phrase'),
                "generative.prompt 'expression' or 'phrase'", self.prompt)
        require(self.words == 'root' or (self.words == 'phrase' and self.prompt == 'phrase'),
                "generative.words 'root', or 'phrase' with prompt 'phrase'", self.words)
        require(1 <= self.unet_steps <= self.start_step <= self.schedule_steps,
                'generative: 1 <= unet_steps <= start_step <= schedule_steps',
                (self.unet_steps, self.start_step, self.schedule_steps))


@dataclass(frozen=True)
class ProposalConfig:
    """Where mask proposals come from.

    Attributes:
        thresholds: the values mu of Eq. (8) for weight-free proposals.
        weight_free: 'thresholds' (Eq. (8): one mask a threshold) or 'parts' (each connected part
            of such a mask is a proposal of its own, so that two mugs are not one).
        image_side: side of the square that SAM sees, pixels, a multiple of its patches' side;
            0 takes the model's own.
        pad_square: SAM sees the whole square; False leaves out the part below or beside the
            picture, which is black.
        points_per_side: SAM's grid of prompts.
        points_kept: share of the grid that is asked, where the picture departs most from a smooth
            background, such as a table; 1 asks about all of it.
        points_per_batch: prompts decoded at once; lower it when memory is short.
        pred_iou_thresh, stability_score_thresh, stability_score_offset, box_nms_thresh: as in
            segment-anything's SamAutomaticMaskGenerator.
        rated_by: what estimates a mask's IoU, by which duplicates are dropped and which the
            calibration knows: the 'model' alone, or 'agreement', the mean of what the model
            predicts, the stability, and how much the masks of other prompts are like it.
        judged_at: where a mask's stability and box are taken: in the 'picture', or as the 'model'
            sees it, which is smaller than most pictures. Those that are kept are drawn in full.
        largest_part: of a segmentor's mask in several connected parts the largest alone is kept,
            since a stray speck spoils the box around an object.
        edges: whose edges the masks have: the 'model' draws them on a grid coarser than most
            pictures; 'picture' moves them to its own edges, by up to half a cell (`edges`).
        min_area_px: proposals of this many pixels or fewer are filtered out (0: empty ones).
        max_proposals: the N largest are kept; 0 keeps all.
        max_area_fraction: proposals covering more of the image are filtered out (1 keeps all).
        still_within: proposals of the frame before stay where the mean colours of the picture's
            cells are within so many steps of 8 bit of what they were when those were made, the
            camera's motion aside (`still`); 0 makes all of every frame anew.
    """

    thresholds: tuple[float, ...] = tuple(round(0.05 * k, 2) for k in range(1, 20))
    weight_free: str = 'thresholds'
    image_side: int = 0
    pad_square: bool = True
    points_per_side: int = 32
    points_kept: float = 1.0
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    rated_by: str = 'model'
    judged_at: str = 'picture'
    largest_part: bool = False
    edges: str = 'model'
    min_area_px: int = 0
    max_proposals: int = 0
    max_area_fraction: float = 1.0
    still_within: float = 0.0

    def __post_init__(self):
        require(len(self.thresholds) > 0 and all(0 < t < 1 for t in self.thresholds),
                'proposals.thresholds in (0, 1), at least one', self.thresholds)
        require(self.weight_free in ('thresholds', 'parts'),
                "proposals.weight_free 'thresholds' or 'parts'", self.weight_free)
        require(self.image_side >= 0, 'proposals.image_side >= 0', self.image_side)
        require(self.points_per_side >= 1, 'proposals.points_per_side >= 1',
                self.points_per_side)
        require(0 < self.points_kept <= 1, 'proposals.points_kept in (0, 1]',
                self.points_kept)
        require(self.points_per_batch >= 1, 'proposals.points_per_batch >= 1',
                self.points_per_batch)
        require(self.rated_by in ('model', 'agreement'),
                "proposals.rated_by 'model' or 'agreement'", self.rated_by)
        require(self.judged_at in ('picture', 'model'),
                "proposals.judged_at 'picture' or 'model'", self.judged_at)
        require(self.edges in ('model', 'picture'), "proposals.edges 'model' or 'picture'",
                self.edges)
        require(self.max_proposals >= 0, 'proposals.max_proposals >= 0', self.max_proposals)
        require(0 < self.max_area_fraction <= 1, 'proposals.max_area_fraction in (0, 1]',
                self.max_area_fraction)
        require(0 <= self.still_within <= 255, 'proposals.still_within in 0..255',
                self.still_within)


@dataclass(frozen=True)
class DiscriminativeConfig:
    """Eq. (6), (7) and (10): CLIP's view of each proposal.

    Attributes:
        beta: weight of the masked-attention branch (Eq. (7)).
        mix: 'features' (Eq. (7) and (10) as written), 'cosine' (likewise, but both mixes brought
            back to length 1) or 'scores' (both branches scored, scores mixed).
        positional: which branch sees x*P (Eq. (6)): 'masked_attention', 'crop' or 'none'.
        ramp: 'full' (1 to 0 along the whole axis) or 'two_thirds' (zero beyond 2/3 of it).
        directions: directions that make a ramp.
        word_level: False finds directions by substring of the text instead of by word.
        root_only: directions that modify another noun than the root are ignored.
        crop_size: side of a crop in pixels; 0 takes CLIP's own.
        crop_fit: 'square' (whole image masked, resized to a square), 'tight' (bounding box,
            black outside, short side to `crop_size`, bicubic position embeddings) or 'box' (a
            square window around the bounding box, resized to `crop_size`).
        crop_margin: side of the window of 'box', in longer sides of the bounding box.
        crop_background: what 'box' shows outside the mask: 'black', 'grey' or the 'picture'.
        crop_tokens: 'all' patches of a crop, or those of the 'object', in which the proposal has
            a pixel, and a fourth of the others, each counted fourfold; not for 'tight'.
        crop_source_side: where above 0, picture and masks are scaled down before they are cut,
            so that the longer side has at most this many pixels: objects look as sharp as in
            the pictures that a small CLIP was trained on.
        masking: how the masked branch keeps to a proposal: 'attention' (`masked_attention`) or
            'tokens' (`token_masking`).
        masked_input: 'square' (resized to CLIP's size) or 'native' (the image's own size).
        patch_cover: 'nearest' (a patch belongs to a mask by one pixel's value) or 'any' (where
            any of its pixels does), for the masked branch.
        layer: 'last' or 'penultimate': which hidden state of the masked branch is projected.
        text: what CLIP reads as the sentence: the whole 'expression', or the root's own 'phrase',
            which says what the object looks like and not where it is.
        text_local: what CLIP reads beside the sentence: the 'root' word, or the root's 'phrase'.
        text_sentence: share of the sentence in the masked branch's text feature; the rest is
            that of `text_local`.
        text_sentence_crop: likewise for the crop branch where scores are mixed; mixed features
            are compared with one text feature, that of `text_sentence`.
        crop_batch: crops encoded at once; lower it when memory is short.
        retint: where above 0, a weight: each proposal is also shown in one and the same colour
            (`discriminative.retint`), and that is compared with the root word alone. It helps a
            CLIP that does not know the shape in the colour.
    """

    beta: float = 0.3
    mix: str = 'features'
    positional: str = 'masked_attention'
    ramp: str = 'full'
    directions: tuple[str, ...] = ('left', 'right', 'top', 'bottom')
    word_level: bool = True
    root_only: bool = False
    crop_size: int = 0
    crop_fit: str = 'square'
    crop_margin: float = 1.15
    crop_background: str = 'black'
    crop_tokens: str = 'all'
    crop_source_side: int = 0
    masking: str = 'attention'
    masked_input: str = 'square'
    patch_cover: str = 'nearest'
    layer: str = 'penultimate'
    text: str = 'expression'
    text_local: str = 'root'
    text_sentence: float = 0.5
    text_sentence_crop: float = 0.5
    crop_batch: int = 32
    retint: float = 0.0

    def __post_init__(self):
        require(self.retint >= 0, 'discriminative.retint >= 0', self.retint)
        require(0 <= self.beta <= 1, 'discriminative.beta in 0..1', self.beta)
        require(self.mix in ('features', 'cosine', 'scores'),
                "discriminative.mix 'features', 'cosine' or 'scores'", self.mix)
        require(self.positional in ('masked_attention', 'crop', 'none'),
                "discriminative.positional 'masked_attention', 'crop' or 'none'",
                self.positional)
        require(self.ramp in ('full', 'two_thirds'),
                "discriminative.ramp 'full' or 'two_thirds'", self.ramp)
        require(self.crop_fit in ('square', 'tight', 'box'),
                "discriminative.crop_fit 'square', 'tight' or 'box'", self.crop_fit)
        require(1 <= self.crop_margin <= 10, 'discriminative.crop_margin in 1..10',
                self.crop_margin)
        require(self.crop_background in ('black', 'grey', 'picture'),
                "discriminative.crop_background 'black', 'grey' or 'picture'",
                self.crop_background)
        require(self.crop_tokens in ('all', 'object'),
                "discriminative.crop_tokens 'all' or 'object'", self.crop_tokens)
        require(self.crop_tokens == 'all' or self.crop_fit != 'tight',
                "discriminative.crop_tokens 'all' with crop_fit 'tight'", self.crop_tokens)
        require(self.crop_source_side >= 0, 'discriminative.crop_source_side >= 0',
                self.crop_source_side)
        require(self.masking in ('attention', 'tokens'),
                "discriminative.masking 'attention' or 'tokens'", self.masking)
        require(self.masked_input in ('square', 'native'),
                "discriminative.masked_input 'square' or 'native'", self.masked_input)
        require(self.patch_cover in ('nearest', 'any'),
                "discriminative.patch_cover 'nearest' or 'any'", self.patch_cover)
        require(self.layer in ('last', 'penultimate'),
                "discriminative.layer 'last' or 'penultimate'", self.layer)
        require(self.text in ('expression', 'phrase'),
                "discriminative.text 'expression' or 'phrase'", self.text)
        require(self.text_local in ('root', 'phrase'),
                "discriminative.text_local 'root' or 'phrase'", self.text_local)
        require(0 <= self.text_sentence <= 1 and 0 <= self.text_sentence_crop <= 1,
                'discriminative.text_sentence and text_sentence_crop in 0..1',
                (self.text_sentence, self.text_sentence_crop))
        require(self.crop_size >= 0, 'discriminative.crop_size >= 0', self.crop_size)
        require(self.crop_batch >= 1, 'discriminative.crop_batch >= 1', self.crop_batch)


@dataclass(frozen=True)
class SelectionConfig:
    """Eq. (1) and (2), and the decision.

    Attributes:
        alpha: generative weight.
        combination: 'convex' (Eq. (1): alpha*G + (1-alpha)*D) or 'additive' (D + alpha*G).
        weight_free: the score in mode G: 'difference' (Eq. (9)) or 'otsu' (Eq. (9) times the root
            of the product of both shares of the image: Otsu's criterion, IEEE Trans. SMC 9(1),
            1979), which does not always prefer the smallest region.
        min_score: a best combined score below it is NOT_FOUND; None never refuses.
        ambiguity_margin: proposals within this much of the best combined score, and not
            overlapping it, make the answer AMBIGUOUS; None never says so.
        rival_overlap: of two proposals that share more than this part of the smaller one, the
            lower-scored is no region of its own.
        order: 'score' (Eq. (2): the highest combined score), or 'probability' (the highest
            calibrated probability that the description is true of it, times how well its place
            fits; where the mode has no calibration, by score).
        temperature: divides scores before the softmax that gives `confidence`.
        decide: 'scores' (by `min_score` and `ambiguity_margin`), or 'calibrated' (by the
            bundle's calibration; where it has none for the mode, by scores and `min_presence`).
        min_presence: where nothing is calibrated, an answer whose presence (`presence`) is below
            it is NOT_FOUND; 0 never refuses.
    """

    alpha: float = 0.1
    combination: str = 'convex'
    weight_free: str = 'difference'
    min_score: float | None = None
    ambiguity_margin: float | None = None
    rival_overlap: float = 0.5
    order: str = 'score'
    temperature: float = 0.01
    decide: str = 'scores'
    min_presence: float = 0.2

    def __post_init__(self):
        require(0 <= self.alpha <= 1, 'selection.alpha in 0..1', self.alpha)
        require(self.combination in ('convex', 'additive'),
                "selection.combination 'convex' or 'additive'", self.combination)
        require(self.weight_free in ('difference', 'otsu'),
                "selection.weight_free 'difference' or 'otsu'", self.weight_free)
        require(self.ambiguity_margin is None or self.ambiguity_margin >= 0,
                'selection.ambiguity_margin >= 0', self.ambiguity_margin)
        require(0 <= self.rival_overlap <= 1, 'selection.rival_overlap in 0..1',
                self.rival_overlap)
        require(self.order in ('score', 'probability'),
                "selection.order 'score' or 'probability'", self.order)
        require(self.temperature > 0, 'selection.temperature > 0', self.temperature)
        require(self.decide in ('scores', 'calibrated'),
                "selection.decide 'scores' or 'calibrated'", self.decide)
        require(0 <= self.min_presence <= 1, 'selection.min_presence in 0..1', self.min_presence)


@dataclass(frozen=True)
class SpatialConfig:
    """Geometry of the proposals for words that say where or which of several an object is.

    Attributes:
        kind: 'none' leaves the scores as they are; 'geometry' adds to each score `temperature`
            times the logarithm of how well the proposal's place fits those words.
        parts: the words that count: 'direction', 'ordinal', 'superlative', 'relation'.
        temperature: what a factor of e in the fit of the place is worth in score.
        temperature_of: unit of `temperature`: 'spread' (the standard deviation over the picture's
            proposals) or 'score'.
        least_spread: in score, what 'spread' is at least: where all that a picture holds is alike,
            it is small, and says nothing of how far apart two kinds of things are.
        weight: of the geometry's logarithm.
        floor: the worst fit, in (0, 1): a place that contradicts the words costs this much and no
            more, so that no clearly better match loses to another kind of object.
    """

    kind: str = 'none'
    parts: tuple[str, ...] = ('direction', 'ordinal', 'superlative', 'relation')
    temperature: float = 0.5
    temperature_of: str = 'spread'
    least_spread: float = 0.0
    weight: float = 1.0
    floor: float = 0.02

    def __post_init__(self):
        require(self.kind in ('none', 'geometry'), "spatial.kind 'none' or 'geometry'", self.kind)
        known = {'direction', 'ordinal', 'superlative', 'relation'}
        require(known.issuperset(self.parts), f'spatial.parts of {sorted(known)}', self.parts)
        require(self.temperature > 0, 'spatial.temperature > 0', self.temperature)
        require(self.temperature_of in ('spread', 'score'),
                "spatial.temperature_of 'spread' or 'score'", self.temperature_of)
        require(self.least_spread >= 0, 'spatial.least_spread >= 0', self.least_spread)
        require(self.weight >= 0, 'spatial.weight >= 0', self.weight)
        require(0 < self.floor < 1, 'spatial.floor in (0, 1)', self.floor)


@dataclass(frozen=True)
class FitWeights:
    """Coefficients of the log odds that the expression is true of a region.

    Attributes:
        bias: of its own.
        match: of the combined score without what places added.
        spatial: of what places added, 0 or less.
        attention: of the generative score (Eq. (9)).
        quality: of the estimate of the mask's IoU (`proposals.rated_by`).
        colour_clash: where the phrase names one colour and the region plainly has another.
        anchor: of how much less than `anchor_from` the best region answers to the noun phrase
            that the object is in a relation to, 0 or less.
        spatial_least: what places added counts down to this; a place that contradicts the words
            can do no worse.
        anchor_from: a match from which that noun phrase counts as there.
    """

    bias: float = 0.0
    match: float = 0.0
    spatial: float = 0.0
    attention: float = 0.0
    quality: float = 0.0
    colour_clash: float = 0.0
    anchor: float = 0.0
    spatial_least: float = -1.0
    anchor_from: float = 0.0

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
        not_found_below: by thresholds, NOT_FOUND where no region fits with this probability.
        fits_from: by thresholds, AMBIGUOUS where another region fits with this probability.
        decide: by 'thresholds' of what regions fit, or what is 'likeliest': that none of them
            fits, one or several, as if each did or did not by itself.
    """

    mode: str = ''
    fit: FitWeights = FitWeights()
    bias: float = 0.0
    slope: float = 1.0
    not_found_below: float = 0.0
    fits_from: float = 1.0
    decide: str = 'thresholds'

    def __post_init__(self):
        require(math.isfinite(self.bias) and math.isfinite(self.slope),
                'calibration.bias and slope as finite numbers', (self.bias, self.slope))
        require(self.mode in ('', 'G', 'GS', 'DS', 'full'),
                "calibration.mode '', 'G', 'GS', 'DS' or 'full'", self.mode)
        require(self.decide in ('thresholds', 'likeliest'),
                "calibration.decide 'thresholds' or 'likeliest'", self.decide)
        require(0 <= self.not_found_below <= 1 and 0 < self.fits_from <= 1,
                'calibration.not_found_below and fits_from in 0..1',
                (self.not_found_below, self.fits_from))
