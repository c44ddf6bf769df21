"""A recording whose program was killed: equal lengths again, and folders for new ones.

The three files hold what was written; their headers may be a tenth of a second apart. All are cut to the shortest.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path

from plugin_host.console.output import cannot
from plugin_host.jam.recording.journal import Journal, journal_line, read_journal
from plugin_host.jam.recording.recorder import JOURNAL, WAVES, recorded_in
from plugin_host.jam.recording.wave_file import Disk, WaveFile

FOLDERS_MAX = 10_000


def repair(folder: Path, disk: Disk | None = None) -> str:
    """Repair a recording; returns a line that says what was done, "" for nothing: it is whole, is being recorded, or
    there is none. OutputError if it cannot be written.  [main]
    """
    disk = disk or Disk()
    if not (folder / JOURNAL).is_file() or _is_whole(folder):
        return ""
    try:
        with ExitStack() as open_files:
            journal = Journal(folder / JOURNAL, disk)
            open_files.callback(journal.close)
            if not journal.alone:
                return ""
            waves = []
            for name in WAVES:
                waves.append(WaveFile.reopen(folder / name, disk))
                open_files.callback(waves[-1].close)
            return _repaired(folder, journal, waves)
    except OSError as fault:
        raise cannot(folder, fault) from None
    except ValueError:
        return ""  # not of a jam


def _is_whole(folder: Path) -> bool:
    """Whether the journal says that the recording was closed."""
    with suppress(OSError, ValueError):
        lines = read_journal(folder / JOURNAL)
        return bool(lines) and lines[-1].get("kind") in ("closed", "repaired")
    return False


def _repaired(folder: Path, journal: Journal, waves: list[WaveFile]) -> str:
    frames = min(wave.written for wave in waves)
    for wave in waves:
        wave.keep(frames)
    journal.drop_torn_line()
    journal.add(journal_line("repaired", frames, 0.0, {"samples": frames}))
    seconds = frames / waves[0].form.sample_rate_hz
    return f"{folder}: the recording was cut off; {int(seconds // 60)}:{seconds % 60:04.1f} of it are kept"


def free_folder(wanted: Path) -> tuple[Path, list[str]]:
    """The folder itself or NAME-2, NAME-3, ...: the first without a recording; and what `repair` says of those passed
    over. OutputError.  [main]
    """
    said: list[str] = []
    for number in range(1, FOLDERS_MAX):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        if not recorded_in(folder):
            return folder, said
        said += [line for line in (repair(folder),) if line]
    raise cannot(wanted, FileExistsError(f"{FOLDERS_MAX} recordings stand beside it"))
