"""One run of `refdiff bench`: every contestant in every situation, told and kept as it comes."""

import argparse
from collections.abc import Callable, Iterator, Sequence
import itertools
import logging
from typing import Any

import torch

from refdiff_ros.benchmark import LEGEND, report
from refdiff_ros.benchmark.agreement import compare
from refdiff_ros.benchmark.asked import (
    draw_picture,
    MIXED_EXPRESSIONS,
    moved_frames,
    PLAIN_EXPRESSIONS,
    still_frames,
)
from refdiff_ros.benchmark.contestants import Contestant, Outcome, PublishedContestant
from refdiff_ros.benchmark.line_up import (
    DEFAULT_PROPOSALS,
    exchange_segmentor,
    line_up,
    load_models,
)
from refdiff_ros.benchmark.machine import describe
from refdiff_ros.benchmark.measure import measure, Passes
from refdiff_ros.benchmark.peak import measure_peak
from refdiff_ros.benchmark.record import failed_part, part_values, Record
from refdiff_ros.benchmark.scale import scale, ScaleSetup
from refdiff_ros.errors import BadRequestError
from refdiff_ros.models.memory import free_caches, module_bytes, modules
from refdiff_ros.models.sizes import size_text
from refdiff_ros.models.untrained_sizes import OWN
from refdiff_ros.pictures.files import read_image
from refdiff_ros.presets import parse_overrides
from refdiff_ros.results import Frame
from refdiff_ros.stages import device_clock

_LOG = logging.getLogger(__name__)


class Session:
    """The models, the picture and what was measured."""

    def __init__(self, args: argparse.Namespace):
        """Load everything.

        Raises:
            RefDiffError: the models, the picture or a preset's value cannot be used.
        """
        self._args = args
        self._values = parse_overrides(args.overrides)
        # Each situation with new frames, and how these differ from one another.
        self._streams = {'stream': moved_frames}
        proposals = self._values.get('proposals')
        if isinstance(proposals, dict) and proposals.get('still_within'):
            self._streams['still'] = still_frames
        image = read_image(args.image) if args.image else draw_picture(args.resolution)
        self._frame = Frame(image)
        self._plain_texts = tuple(args.say) or PLAIN_EXPRESSIONS
        self._mixed_texts = tuple(args.say) or MIXED_EXPRESSIONS
        self._record = Record(args.json, {'asked': _plain(args)})
        self._segmentor = args.segmentor[0]
        self._models = load_models(args, self._frame)
        self._device = self._models.device
        self._clock = device_clock(self._device, args.clock)
        self._baselines: list[str] = []
        self._told: set[str] = set()
        self._outcomes: dict[str, Outcome] = {}
        self._bad = False

    def run(self) -> int:
        """Measure everything; 0, or 1 where something failed or does not agree."""
        self._tell_setup()
        names = self._measure_all()
        self._tell_agreement()
        for axis in self._args.scale:
            self._measure_scale(axis)
        for segmentor in self._args.segmentor[1:]:
            self._segmentor = segmentor
            exchange_segmentor(self._models, self._args, self._frame, segmentor)
            free_caches()
            self._tell_models()
            names += self._measure_all()
        print('\n' + report.summary_text(self._record, names, self._baselines))
        print('\n' + LEGEND, flush=True)
        return int(self._bad)

    def _measure_all(self) -> list[str]:
        """Everybody with the segmentor that is there; their names."""
        contestants = self._contestants(self._frame, self._args.proposals)
        for contestant in contestants:
            for note in contestant.notes:
                print(f'note: {contestant.name}: {note}', flush=True)
        for contestant in contestants:
            self._measure(contestant)
            contestant.forget()
            free_caches()
        return [contestant.name for contestant in contestants]

    def _tell_setup(self) -> None:
        machine = describe(self._device)
        dtypes = (torch.float32, self._models.dtype)
        self._peak = measure_peak(self._device, dtypes, self._clock)
        self._record.set('machine', {
            **machine, 'peak_flops': dict(self._peak.flops), 'peak_bytes_per_s': self._peak.moved})
        self._record.set('picture_hw', list(self._frame.size_hw))
        if self._models.notice:
            print(f'NOTE: {self._models.notice}')
        self._tell_models()
        rates = ', '.join(f'{dtype} {rate / 1e9:.4g} GFLOP/s'
                          for dtype, rate in self._peak.flops.items())
        print(f'{machine.get("gpu", machine["cpu"])}, {machine["threads"]} CPU threads, torch '
              f'{machine["torch"]}; measured peak: {rates}, copies {self._peak.moved / 1e9:.4g} '
              'GB/s' + ('; seconds are those that this process computed'
                        if self._args.clock == 'cpu' else ''), flush=True)

    def _tell_models(self) -> None:
        """Models as they are now; the record lists all that were measured."""
        models = self._models
        weights = {name: module_bytes(module) for name, module in modules(models).items()}
        self._record.set('models', [*self._record.values.get('models', ()), {
            'name': models.name, 'trained': models.trained, 'dtype': str(models.dtype),
            'parameter_bytes': weights}])
        height, width = self._frame.size_hw
        print(f'{models.name}, {size_text(sum(weights.values()))} of weights, '
              f'{str(models.dtype).removeprefix("torch.")}; picture {width}x{height}', flush=True)

    def _contestants(
        self, frame: Frame, proposals: int | None, candidates: int | None = None,
    ) -> list[Contestant]:
        """Baselines first: they see the models as they were loaded."""
        offered = None if candidates is None else (self._mixed_texts[0], candidates)
        # The published code has SAM 1, with a large one it was measured already; and it makes no
        # messages, so that it has no candidates to offer.
        everybody = self._segmentor == OWN and offered is None
        args = self._args if everybody else argparse.Namespace(
            **{**vars(self._args), 'baseline': ['none']})
        found, problems = line_up(
            self._models, frame, args, self._values, proposals, offered)
        if everybody:
            self._baselines = [who.name for who in found if isinstance(who, PublishedContestant)]
        if self._segmentor != OWN:
            for contestant in found:
                contestant.name = f'{contestant.name}, {self._segmentor}'
        for name, problem in problems.items():
            if name not in self._told:
                self._told.add(name)
                self._add(failed_part('first', name, problem))
        return found

    def _measure(self, contestant: Contestant) -> None:
        """All situations of one contestant."""
        texts = _endless(self._plain_texts)
        first = next(texts)

        def ask_first() -> None:
            self._outcomes[contestant.name] = contestant.answer(self._frame, first)
        if not self._part('first', contestant, ask_first, contestant.forget):
            return
        if not contestant.keeps:
            self._repeat_part('first', 'prefetched', contestant)
            self._repeat_part('first', 'next', contestant)
            for part in self._streams:
                self._repeat_part('first', part, contestant)
        else:
            def look_ahead() -> None:
                contestant.forget()
                contestant.prefetch(self._frame)
            if not self._part('prefetched', contestant,
                              lambda: contestant.answer(self._frame, first), look_ahead):
                contestant.answer(self._frame, first)
            # Now the frame is kept, with one expression answered.
            self._part('next', contestant,
                       lambda: contestant.answer(self._frame, next(texts)))
        self._measure_expressions(contestant)
        if contestant.keeps and self._args.frames:
            for part in self._streams:
                self._measure_stream(part, contestant, first)

    def _measure_expressions(self, contestant: Contestant) -> None:
        count = self._args.expressions
        if count == 1:
            return
        asked = list(itertools.islice(_endless(self._mixed_texts), count))

        def one_by_one() -> None:
            for text in asked:
                contestant.answer(self._frame, text)
        works: dict[str, Callable[[], object]] = {'expressions': one_by_one}
        if contestant.keeps:
            works['batch'] = lambda: contestant.answer_all(self._frame, asked)
        for part, work in works.items():
            self._part(part, contestant, work, contestant.forget,
                       repeats=max(1, self._args.repeats), counted=False, count=count)
        if not contestant.keeps:
            self._repeat_part('expressions', 'batch', contestant)

    def _repeat_part(self, done: str, part: str, contestant: Contestant) -> None:
        """A part of which every piece of work is that of `done`, because nothing is kept."""
        found = self._record.find(done, contestant.name)
        if found is not None:
            self._add({**found, 'part': part, 'same_as': done})

    def _measure_stream(self, part: str, contestant: Contestant, text: str) -> None:
        passes = self._args.frames * (2 if self._device.type == 'cuda' else 1)
        frames = iter(self._streams[part](self._frame, passes + 1))
        contestant.forget()
        contestant.answer(next(frames), text)
        self._part(part, contestant, lambda: contestant.answer(next(frames), text),
                   repeats=self._args.frames, counted=False)

    def _part(
        self,
        part: str,
        contestant: Contestant,
        work: Callable[[], object],
        prepare: Callable[[], object] | None = None,
        repeats: int | None = None,
        counted: bool = True,
        **more: Any,
    ) -> bool:
        """Measure one part, tell it and keep it; False where that failed."""
        repeats = self._args.repeats if repeats is None else repeats
        try:
            passes = Passes(repeats, prepare or (lambda: None), counted,
                            numbered=part in ('first', 'prefetched', 'next'))
            measured = measure(work, self._device, passes, self._clock)
        except Exception as error:  # what was measured before and after must not be lost with it
            _LOG.debug('part failed', exc_info=True)
            self._add(failed_part(part, contestant.name, f'{type(error).__name__}: {error}',
                                  **more))
            self._bad = True
            return False
        self._add(part_values(part, contestant.name, measured, self._peak, **more))
        return True

    def _add(self, part: dict[str, Any]) -> None:
        self._record.add(part)
        if 'same_as' in part:
            print(f'\n{report.title(part)}: as above, for nothing is kept', flush=True)
        else:
            print('\n' + report.part_text(part), flush=True)

    def _tell_agreement(self) -> None:
        found = [
            {'baseline': baseline, 'contestant': name,
             **compare(self._outcomes[baseline], self._outcomes[name], name == 'released')}
            for baseline in self._baselines for name in self._args.preset
            if baseline in self._outcomes and name in self._outcomes]
        self._record.set('agreement', found)
        # Coarser formats round masks and scores to other sides of a threshold.
        if self._models.dtype is torch.float32:
            self._bad |= any(not each.get('agrees', True) for each in found)
        self._outcomes.clear()
        if found:
            print('\n' + '\n'.join(report.agreement_text(each) for each in found), flush=True)

    def _measure_scale(self, axis: str) -> None:
        setup = ScaleSetup(
            frame=self._frame, proposals=self._args.proposals or DEFAULT_PROPOSALS,
            device=self._device, repeats=max(1, self._args.repeats), clock=self._clock,
            expressions=self._mixed_texts)
        rows: list[dict[str, Any]] = []
        print(f'\nseconds, and memory above that in use before, by {axis}:', flush=True)
        try:
            for row in scale(axis, self._contestants, setup):
                rows.append(row)
                self._record.set(f'scale_{axis}', rows)
                print(f'  {row["value"]} {row["contestant"]}: {report.scale_cell(row)}',
                      flush=True)
        except BadRequestError as error:  # the picture has no more to vary
            print(f'  stopped: {error}', flush=True)
        except Exception as error:
            _LOG.debug('scale failed', exc_info=True)
            print(f'  stopped: {type(error).__name__}: {error}', flush=True)
            self._bad = True
        if rows:
            print(report.scale_text(rows), flush=True)


def _plain(args: argparse.Namespace) -> dict[str, Any]:
    """The options, ready for JSON."""
    return {name: str(value) if hasattr(value, 'parts') else value
            for name, value in vars(args).items() if not callable(value)}


def _endless(texts: Sequence[str]) -> Iterator[str]:
    """`texts`, then the same with numbers: an engine must not know one already."""
    for turn in itertools.count():
        yield from (f'{text} {turn}' if turn else text for text in texts)
