"""Questions to a person while an order is followed, and what the answers mean."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from refdiff_ros.errors import RefDiffError
from refdiff_ros.follow.answers import Answer, match, Meaning, options_of
from refdiff_ros.follow.grounded import are_one, Grounded, seen_in
from refdiff_ros.follow.results import (
    Ask,
    Candidate,
    FollowQuestion,
    FollowStatus,
    Option,
    QuestionKind,
    State,
)
from refdiff_ros.follow.situation import EndError, Situation
from refdiff_ros.follow.tasks import Kind, tasks_of
from refdiff_ros.language.instruction.results import DialogueAct, Instruction
from refdiff_ros.pick.robot import Interrupt, StoppedError
from refdiff_ros.results import Status

Asker = Callable[[FollowQuestion], str | int | None]
"""Puts a question; gives a text, the number of an option, or None when nobody answered."""


class NewOrderError(RefDiffError):
    """An answer was an order of its own.

    Args:
        order: what was said.
    """

    def __init__(self, order: str):
        super().__init__(f'the order is now {order!r}')
        self.order = order


class Dialogue:
    """Asks a person.

    Args:
        situation: of the order.
        read: an instruction from a text.
        put: puts a question.
    """

    def __init__(self, situation: Situation, read: Callable[[str], Instruction], put: Asker):
        self._now, self._read, self._put = situation, read, put
        self._asked = 0

    def begin(self) -> None:
        """Another order: its questions are counted from 1."""
        self._asked = 0

    def confirm(self, plan: str) -> None:
        """Ask whether the plan is agreed to.

        Raises:
            EndError: it is not.
        """
        answer = self.ask(FollowQuestion(
            0, 0, QuestionKind.YES_NO, f'I am going to {plan}. Shall I?'), State.CONFIRMING)
        if answer.meaning is not Meaning.YES:
            raise EndError(FollowStatus.CANCELLED, 'the plan was not agreed to')

    def which(self, text: str, grounded: Grounded, candidates: Sequence[Candidate],
              step: int) -> Candidate:
        """Ask which of several candidates a text means.

        Raises:
            EndError: none of them, or nobody may be asked.
        """
        if self._now.settings.ask is Ask.NEVER:
            raise EndError(FollowStatus.REFUSED, f'AMBIGUOUS: {grounded.reason}', 'ask')
        options = options_of(candidates, [seen_in(grounded.view, each) for each in candidates])
        question = FollowQuestion(0, step, QuestionKind.WHICH_ONE,
                                  grounded.question or f'Which {text} do you mean?', options)
        answer = self.ask(question, State.ASKING, candidates)
        if answer.meaning in (Meaning.CANCEL, Meaning.NO) or answer.option is None:
            raise EndError(FollowStatus.CANCELLED, 'none of the things that fit was meant')
        box = answer.option.box_xyxy
        return next(c for c in candidates if c.box_xyxy == box)

    def ask(self, question: FollowQuestion, state: State,
            candidates: Sequence[Candidate] = ()) -> Answer:
        """Put a question until an answer fits, or the tries are over.

        Args:
            question: its number and its tries are filled in.
            state: of the order meanwhile.
            candidates: what its options stand for.

        Raises:
            EndError: nobody answered, or no answer fitted.
            StoppedError: a person said stop.
            NewOrderError: an answer was an order of its own.
        """
        now = self._now
        tries = now.settings.tries
        note = question.text
        while tries > 0:
            self._asked += 1
            question = replace(question, number=self._asked, tries_left=tries)
            now.progress = replace(now.progress, question=question)
            now.say(state, note)
            said = self._put(question)
            now.progress = replace(now.progress, question=None)
            answer = self._meant(said, question, candidates)
            if answer.meaning is Meaning.STOP:
                raise StoppedError(Interrupt.STOPPED, 'a person said stop')
            if answer.meaning is not Meaning.NOTHING:
                return answer
            tries -= 1
            note = f'{answer.reason}. {question.text}'
        raise EndError(FollowStatus.REFUSED, f'no answer fitted: {answer.reason}', 'ask')

    def _meant(self, said: str | int | None, question: FollowQuestion,
               candidates: Sequence[Candidate]) -> Answer:
        if said is None:
            raise EndError(FollowStatus.TIMEOUT, f'nobody answered {question.text!r}')
        if isinstance(said, int):
            chosen = [option for option in question.options if option.number == said]
            return Answer(Meaning.OPTION, chosen[0]) if chosen else Answer(
                Meaning.NOTHING, reason=f'there is no choice {said}')
        answer = match(said, question)
        if answer.meaning is not Meaning.NOTHING or not said.strip():
            return answer
        self._look_for_an_order(said)
        if not candidates:
            return answer
        option = self._among(said, question, candidates)
        return answer if option is None else Answer(Meaning.OPTION, option)

    def _look_for_an_order(self, said: str) -> None:
        """An answer that is an order of its own takes the place of this one."""
        try:
            instruction = self._read(said)
        except RefDiffError:
            return
        if instruction.act is DialogueAct.STOP:
            raise StoppedError(Interrupt.STOPPED, 'a person said stop')
        if instruction.act is not DialogueAct.ORDER:
            return
        try:
            tasks = tasks_of(instruction)
        except RefDiffError:
            return
        if any(task.kind is not Kind.POINT for task in tasks):
            raise NewOrderError(said)

    def _among(self, said: str, question: FollowQuestion, candidates: Sequence[Candidate],
               ) -> Option | None:
        """The candidate that a text grounds on, None where it is none of them."""
        try:
            grounded = self._now.world.ground(said)
        except RefDiffError:
            return None
        if grounded.status is not Status.FOUND:
            return None
        for candidate in candidates:
            if are_one(candidate, grounded.candidates[0]):
                return next(option for option in question.options
                            if option.box_xyxy == candidate.box_xyxy)
        return None
