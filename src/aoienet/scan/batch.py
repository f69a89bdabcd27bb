"""A batch of pictures: which task comes next, what is kept of its outcome, what a restart finds.

The output folder holds journal.jsonl, the folders of the pictures and, while the scan is not finished, .work: the plan
and one file per unit. A unit counts as done when the journal has a line with the hash of its file, so a scan may be
killed at any moment; what was going on is done again and gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aoienet.files import OutputError, atomic, write_json
from aoienet.scan.journal import NAME, Entry, Journal
from aoienet.scan.sources import file_sha256
from aoienet.scan.work import Outcome, Picture, Plan, Task

WORK, PLAN = ".work", "plan.json"
Request = dict[str, Any]


@dataclass
class State:
    """Where one picture stands. failed: the first band that cannot be done and why (band -1: the picture itself)."""

    picture: Picture
    waiting: list[int]
    running: set[int] = field(default_factory=set)
    lines: dict[int, Entry] = field(default_factory=dict)
    failed: tuple[int, str] | None = None
    finishing: bool = False
    result: dict[str, Any] | None = None

    @property
    def complete(self) -> bool:
        """All units are done."""
        return len(self.lines) == len(self.picture.units) and self.failed is None

    @property
    def over(self) -> bool:
        """Nothing is left to do: finished or failed, and no task that could change it is on its way."""
        return self.result is not None or (self.failed is not None and not self.running and not self.waiting)


class Batch:
    """Hands out tasks and takes outcomes.

    Args     pictures: one by one; None: there may be more, but not yet. mine: which units are this run's (a shard);
             finish: whether complete pictures get their outputs. watch: called after every outcome that counts.
    """

    def __init__(
        self,
        out: Path,
        plan: Plan,
        pictures: Iterator[Picture | None],
        *,
        mine: Callable[[Picture, int], bool] = lambda picture, band: True,
        finish: bool = True,
        watch: Callable[[Batch, Task, Outcome], None] = lambda batch, task, outcome: None,
    ) -> None:
        self.out, self.plan = out, plan
        self.states: list[State] = []
        self._pictures, self._more = pictures, True
        self._mine, self.finishes, self._watch = mine, finish, watch
        self._journal = Journal(out)
        self._old = _by_picture(self._journal.entries)

    @property
    def ended(self) -> bool:
        """No task is left and none will come."""
        return not self._more and all(s.over or self._rests(s) for s in self.states)

    @property
    def known_units(self) -> int | None:
        """Units that are still to be done; None while more pictures may come. Takes in all pictures that are known."""
        while self._pull():
            pass
        return None if self._more else sum(max(1, len(s.waiting)) for s in self.states if not s.over)

    @property
    def known_px(self) -> int | None:
        """Pixels of these units: what a bar counts up to."""
        if self.known_units is None:
            return None
        units = ((s.picture, unit) for s in self.states for unit in s.picture.units if unit.band in s.waiting)
        return sum(picture.width * (unit.y1_px - unit.y0_px) for picture, unit in units)

    def next(self, last: Task | None) -> Task | None:
        """A task, best one that goes on where `last` stopped; None: nothing to do now."""
        while True:
            task = self._finishing() or self._unit(last)
            if task is not None or not self._pull():
                return task

    def done(self, task: Task, outcome: Outcome) -> None:
        """Take the outcome of a task. Raises OutputError: the folder cannot be written."""
        state = self.states[task.picture.index]
        if task.unit is None:
            self._finished(state, outcome)
        else:
            self._looked(state, task.unit.band, outcome)
        self._watch(self, task, outcome)

    def close(self) -> None:
        """All is done: the journal in its final order, nothing left of the work but the plan where a picture failed, so that
        a restart can try it again."""
        self._journal.rewrite(line for state in self.states for line in self._lines(state))
        if not self.finishes:
            return
        if any(state.failed is not None for state in self.states):
            for path in self.plan.work.glob("*.npz"):
                path.unlink(missing_ok=True)
        else:
            shutil.rmtree(self.plan.work, ignore_errors=True)

    # ------------------------------------------------------------ tasks

    def _finishing(self) -> Task | None:
        for state in self.states:
            if self.finishes and state.complete and not state.finishing and state.result is None:
                state.finishing = True
                return Task(state.picture)
        return None

    def _unit(self, last: Task | None) -> Task | None:
        """The next band of the same picture; else a picture that nobody works on; else the middle of the longest run."""
        if last is not None and last.unit is not None:
            if last.unit.band + 1 in self.states[last.picture.index].waiting:
                return self._take(self.states[last.picture.index], last.unit.band + 1)
        open_ones = [s for s in self.states if s.waiting]
        for state in open_ones:
            if not state.running:
                return self._take(state, state.waiting[0])
        runs = [(len(run), -s.picture.index, s, run) for s in open_ones for run in _runs(s.waiting)]
        if not runs:
            return None
        length, _, state, run = max(runs, key=lambda r: r[:2])
        walked = run[0] - 1 in state.running
        return self._take(state, run[length // 2 if walked else 0])

    def _take(self, state: State, band: int) -> Task:
        state.waiting.remove(band)
        state.running.add(band)
        return Task(state.picture, state.picture.units[band])

    def _pull(self) -> bool:
        """Take one more picture in; False where there is none now."""
        if not self._more:
            return False
        try:
            picture = next(self._pictures)
        except StopIteration:
            self._more = False
            return False
        if picture is None:
            return False
        self._add(picture)
        return True

    def _add(self, picture: Picture) -> None:
        wanted = [unit.band for unit in picture.units if self._mine(picture, unit.band)]
        state = State(picture, wanted)
        self.states.append(state)
        if picture.error:
            self._fail(state, -1, picture.error)
            return
        for entry in self._old.get(picture.index, []):
            self._recall(state, entry)
        state.waiting = [] if state.result is not None else [band for band in wanted if band not in state.lines]

    def _recall(self, state: State, entry: Entry) -> None:
        """Believe a line of an earlier run where the files bear it out; failures are tried again."""
        picture = state.picture
        if "outputs_sha256" in entry:
            manifest = picture.folder / "manifest.json"
            if manifest.is_file() and file_sha256(manifest) == entry["outputs_sha256"]:
                state.result = entry["result"]
                state.lines = {e["band"]: e for e in self._old[picture.index] if "sha256" in e}
        elif "sha256" in entry and entry["band"] < len(picture.units):
            path = self.plan.unit_path(picture, picture.units[entry["band"]])
            if path.is_file() and file_sha256(path) == entry["sha256"]:
                state.lines[entry["band"]] = entry

    def _rests(self, state: State) -> bool:
        """A shard has done its part of a picture."""
        return not self.finishes and not state.waiting and not state.running

    # ------------------------------------------------------------ outcomes

    def _looked(self, state: State, band: int, outcome: Outcome) -> None:
        state.running.discard(band)
        if state.failed is not None and band > state.failed[0]:
            return
        if outcome.error:
            self._fail(state, band, outcome.error)
            return
        unit = state.picture.units[band]
        with atomic(self.plan.unit_path(state.picture, unit)) as temporary:
            temporary.write_bytes(outcome.data)
        entry: Entry = {"picture": state.picture.index, "input": str(state.picture.path), "band": band}
        entry |= {"y0_px": unit.y0_px, "y1_px": unit.y1_px, **outcome.facts}
        entry["sha256"] = hashlib.sha256(outcome.data).hexdigest()
        self._journal.add(entry)
        state.lines[band] = entry

    def _fail(self, state: State, band: int, error: str) -> None:
        """Bands above the first bad one do not matter any more; those below may hold an earlier one."""
        state.failed = band, error
        state.waiting = [b for b in state.waiting if b < band]
        self._journal.add(_failure(state))

    def _finished(self, state: State, outcome: Outcome) -> None:
        state.finishing = False
        if outcome.error:
            self._fail(state, len(state.picture.units), outcome.error)
            return
        state.result = outcome.facts
        self._journal.add(_outputs(state))
        for unit in state.picture.units:
            self.plan.unit_path(state.picture, unit).unlink(missing_ok=True)

    def _lines(self, state: State) -> Iterator[Entry]:
        last = len(state.picture.units) if state.failed is None else state.failed[0]
        yield from (line for band, line in sorted(state.lines.items()) if band < last)
        if state.failed is not None:
            yield _failure(state)
        elif state.result is not None:
            yield _outputs(state)


def _failure(state: State) -> Entry:
    assert state.failed is not None
    band, error = state.failed
    at = {"band": band} if 0 <= band < len(state.picture.units) else {}
    return {"picture": state.picture.index, "input": str(state.picture.path), **at, "error": error}


def _outputs(state: State) -> Entry:
    digest = file_sha256(state.picture.folder / "manifest.json")
    head = {"picture": state.picture.index, "input": str(state.picture.path)}
    return {**head, "outputs_sha256": digest, "result": state.result}


def _by_picture(entries: list[Entry]) -> dict[int, list[Entry]]:
    found: dict[int, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry["picture"], []).append(entry)
    return found


def _runs(bands: list[int]) -> list[list[int]]:
    """Bands that follow each other."""
    runs: list[list[int]] = []
    for band in bands:
        if runs and runs[-1][-1] == band - 1:
            runs[-1].append(band)
        else:
            runs.append([band])
    return runs


# ---------------------------------------------------------------- the plan on disk


def begin(out: Path, request: Request, resume: bool) -> None:
    """Make the work folder ready, or see that what lies there is the same scan.

    Raises   OutputError: --resume of another scan, or of one that was never begun.
    """
    path = out / WORK / PLAN
    if resume and path.is_file():
        old = json.loads(path.read_text("utf-8"))
        repaired = _repaired(out, old.get("pictures", []), request.get("pictures", []))
        _same(old, json.loads(json.dumps(request)), out, repaired)
        clear_halves(out)
        if repaired:
            _forget(out, repaired)
            write_json(path, request)
        return
    if resume and (out / "summary.json").is_file():
        raise OutputError(f"the scan in {out} is finished, see its summary.json; for another one choose another folder")
    if resume and out.is_dir() and any(out.iterdir()):
        raise OutputError(f"nothing to go on with in {out}: it holds no unfinished scan; begin without --resume")
    (out / NAME).unlink(missing_ok=True)
    shutil.rmtree(out / WORK, ignore_errors=True)
    try:
        (out / WORK).mkdir(parents=True)
    except OSError as error:
        raise OutputError(f"cannot write to {out}: {error.strerror}") from None
    write_json(path, request)


def clear_halves(out: Path) -> None:
    """Remove files that a killed process was about to write; whole ones are never touched."""
    for left in [*out.rglob(".*.tmp")]:
        left.unlink(missing_ok=True)


def _repaired(out: Path, old: list[Any], new: list[Any]) -> set[int]:
    """Pictures that failed and whose files are others now: they may be done anew."""
    if len(old) != len(new):
        return set()
    lines = _by_picture(Journal(out).entries)
    return {
        k
        for k, (before, after) in enumerate(zip(old, new, strict=True))
        if before != after and before["input"] == after["input"] and any("error" in e for e in lines.get(k, []))
    }


def _forget(out: Path, pictures: set[int]) -> None:
    """Nothing is kept of these pictures."""
    journal = Journal(out)
    journal.rewrite(entry for entry in journal.entries if entry["picture"] not in pictures)
    for picture in pictures:
        for path in (out / WORK).glob(f"{picture:06d}-*.npz"):
            path.unlink()


def _same(old: Request, new: Request, out: Path, repaired: set[int]) -> None:
    def word(key: str, was: Any, now: Any) -> OutputError:
        return OutputError(
            f"--resume must repeat the scan that was begun; {key} was {_short(was)}, now it is "
            f"{_short(now)}; repeat the command as it was, or begin anew in another folder than {out}"
        )

    for key in sorted(set(old) | set(new)):
        was, now = old.get(key), new.get(key)
        if key == "pictures" and was is not None and now is not None and len(was) == len(now):
            for k, (before, after) in enumerate(zip(was, now, strict=True)):
                if before != after and k not in repaired:
                    raise word(f"picture {k + 1}", before, after)
        elif was != now:
            raise word(key, was, now)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else text[:157] + "..."
