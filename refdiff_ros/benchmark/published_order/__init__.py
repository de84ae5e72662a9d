"""Ref-Diff in the order of work that its authors published: what the package is measured against.

Everything is done as their code does it, and nothing is saved: the picture at 1024x1024, four UNet
evaluations in two batches with guidance, logits of the cross-attention written out for all heads,
places and tokens before they are averaged, SAM's mask generator with its default 32x32 prompts,
one CLIP crop after the other over all masks, the masked attention as one dense mask over all class
tokens and patches, Python loops over masks, and nothing kept from one expression for the next.

It takes the same models, noise and parser as the package and computes what preset `released`
computes, so that the answers can be compared. Faults of the published code that `released` does
not copy are not here either: pictures are RGB, an empty mask or a constant map does not end in
0/0, a very long and narrow crop is squeezed, and the best surviving mask is chosen even where all
survivors score below zero. The authors' code was read for the order of work; none of it is here.
"""

from refdiff_ros.benchmark.published_order.answer import answer, prepare, PublishedAnswer
from refdiff_ros.benchmark.published_order.settings import PublishedSettings, settings_of

__all__ = ('PublishedAnswer', 'PublishedSettings', 'answer', 'prepare', 'settings_of')
