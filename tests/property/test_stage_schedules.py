"""Owners and zombies write to one output, sends fail, in any order: what counts is always the pure result."""

from __future__ import annotations

import random

import pytest

from bus.fold import Fold
from events.envelope import Decision
from tests.unit.bus.test_fold import BRAINS, Counting, run, tick


class Writer:
    """One worker with its own view: it read the output when it began, and knows nothing of the others since."""

    def __init__(self, brain: type[Counting], output: list[Decision]) -> None:
        self.fold, self.queue, self.dead = Fold("toy", 0, brain()), [], False
        for d in output:
            self.fold.read_back(d)

    def step(self, inputs: list[bytes]) -> None:
        if self.fold.position < len(inputs):
            decision = self.fold.decide(self.fold.position, inputs[self.fold.position])
            if decision:
                self.queue.append(decision)


@pytest.mark.parametrize("brain", BRAINS)
@pytest.mark.parametrize("seed", range(60))
def test_any_schedule_of_owners_zombies_and_failed_sends_gives_the_pure_result(
    brain: type[Counting], seed: int
) -> None:
    r = random.Random(seed)
    inputs = [tick(i) for i in range(80)]
    output: list[Decision] = []
    writers = [Writer(brain, output)]
    for _ in range(r.randrange(50, 600)):
        writer, chance = r.choice(writers[-3:]), r.random()
        if chance < 0.5 and not writer.dead:
            writer.step(inputs)
        elif chance < 0.85:
            for _ in range(r.randrange(1, 5)):
                if writer.queue:
                    decision = writer.queue.pop(0)
                    if r.random() < 0.05:
                        writer.dead = True  # this send failed; those behind it still go out
                    else:
                        output.append(decision)
        elif chance > 0.97:
            writers.append(Writer(brain, output))
    for writer in writers:
        output += writer.queue
    last = Writer(brain, output)
    output += run(last.fold, inputs)

    reader = Fold("toy", 0, brain())
    counted = [d for d in output if reader.read_back(d)]
    assert counted == run(Fold("toy", 0, brain()), inputs)
