"""The error tree of the contract, and the codes of error answers.

    SegueError                  internal
    ├── WireError               bad_message        a datagram or message is at fault
    │   ├── PacketError         bad_packet         not OSC by Segue's rules
    │   ├── UnknownAddress      unknown_address    no such address; similar ones are named
    │   ├── WrongCount          wrong_count        an argument is missing or extra
    │   ├── WrongType           wrong_type         a word where a number belongs, or the reverse
    │   ├── OutOfRange          out_of_range       beyond what the table allows, too long, not finite
    │   ├── NotAllowed          not_allowed        no or wrong secret; accepted from this machine only
    │   └── Busy                busy               too many clients, lanes or transfers
    ├── LaneError               bad_lane           the lane cannot do that now
    │   ├── NoSuchLane          no_such_lane
    │   └── LaneInUse           lane_in_use
    ├── RegionError             bad_region         a region cannot be used
    │   ├── RegionMissing       region_missing     no such file, or not a file
    │   ├── RegionUnreadable    region_unreadable  no permission, cut short, damaged
    │   ├── RegionNotAudio      region_not_audio
    │   ├── RegionTooShort      region_too_short   empty included
    │   ├── RegionTooLong       region_too_long
    │   ├── RegionFormat        region_format      channels or sample rate not supported
    │   ├── RegionNotFinite     region_not_finite  NaN or infinity among the samples
    │   ├── RegionSilent        region_silent
    │   └── RegionTransfer      region_transfer    chunks that do not fit together
    ├── Unsupported             unsupported        the loaded model does not support the request
    ├── NotReady                not_ready          no model is loaded (yet)
    ├── ModelError              bad_model          a model cannot be loaded: missing, damaged, no memory
    │   └── LoadOvertaken       load_overtaken     replaced by a later load, an unload or a cancel
    ├── SharedMemoryError       shared_memory      a segment of another version or size, or gone
    │   ├── SegmentMissing      segment_missing
    │   └── SegmentForeign      segment_foreign
    ├── EndpointError           endpoint           the engine's UDP port cannot be opened
    │   ├── PortInUse           port_in_use
    │   └── UnsafeBind          unsafe_bind
    ├── NoAnswer                no_answer          the engine did not answer in time
    ├── PresetError             bad_preset
    └── EngineFault             internal           an internal fault of the engine, not the caller's

The meaning of a code never changes; the text beside it is for people and may change.
"""

from __future__ import annotations


class SegueError(Exception):
    """Base of all errors of the contract; `code` is its code on the wire.  [any]"""

    code = "internal"

    @property
    def text(self) -> str:
        """The message for people.  [any]"""
        return str(self)


class WireError(SegueError):
    """A datagram or message is at fault.  [any]"""

    code = "bad_message"


class PacketError(WireError):
    """Bytes that are not OSC by Segue's rules.  [any]"""

    code = "bad_packet"


class UnknownAddress(WireError):
    """There is no such address.  [any]"""

    code = "unknown_address"


class WrongCount(WireError):
    """An argument is missing or extra.  [any]"""

    code = "wrong_count"


class WrongType(WireError):
    """An argument has another type than its row says.  [any]"""

    code = "wrong_type"


class OutOfRange(WireError):
    """An argument is outside the range of its row.  [any]"""

    code = "out_of_range"


class NotAllowed(WireError):
    """The sender may not send this request.  [any]"""

    code = "not_allowed"


class Busy(WireError):
    """There are too many already; the message says of what, and how many are allowed.  [any]"""

    code = "busy"


class LaneError(SegueError):
    """The lane cannot do this now.  [any]"""

    code = "bad_lane"


class NoSuchLane(LaneError):
    """The lane is not open.  [any]"""

    code = "no_such_lane"


class LaneInUse(LaneError):
    """The lane is open already, for another client or in another format.  [any]"""

    code = "lane_in_use"


class RegionError(SegueError):
    """A region cannot be used.  [any]"""

    code = "bad_region"


class RegionMissing(RegionError):
    """There is no such file, or it is a folder, pipe or device.  [any]"""

    code = "region_missing"


class RegionUnreadable(RegionError):
    """The file exists and cannot be read: permission, cut short, damaged.  [any]"""

    code = "region_unreadable"


class RegionNotAudio(RegionError):
    """The file holds no audio that can be read.  [any]"""

    code = "region_not_audio"


class RegionTooShort(RegionError):
    """Empty, or shorter than a model can use.  [any]"""

    code = "region_too_short"


class RegionTooLong(RegionError):
    """Longer than allowed.  [any]"""

    code = "region_too_long"


class RegionFormat(RegionError):
    """A number of channels or a sample rate that is not supported.  [any]"""

    code = "region_format"


class RegionNotFinite(RegionError):
    """NaN or infinity among the samples; the message says where first.  [any]"""

    code = "region_not_finite"


class RegionSilent(RegionError):
    """It is silent.  [any]"""

    code = "region_silent"


class RegionTransfer(RegionError):
    """Chunks that do not fit together: unknown transfer, wrong size, wrong checksum.  [any]"""

    code = "region_transfer"


class Unsupported(SegueError):
    """The loaded model does not support this; the message names what.  [any]"""

    code = "unsupported"


class NotReady(SegueError):
    """No model is loaded, or it is still loading or warming up; try again.  [any]"""

    code = "not_ready"


class ModelError(SegueError):
    """A model cannot be loaded: missing, damaged, of an unknown kind, or too large for the memory.  [any]"""

    code = "bad_model"


class LoadOvertaken(ModelError):
    """A load that was replaced by a later load, an unload or a cancel.  [any]"""

    code = "load_overtaken"


class SharedMemoryError(SegueError):
    """A shared-memory segment cannot be used.  [any]"""

    code = "shared_memory"


class SegmentMissing(SharedMemoryError):
    """There is no segment of that name, or it was removed.  [any]"""

    code = "segment_missing"


class SegmentForeign(SharedMemoryError):
    """A segment of another kind, version or size than this program supports.  [any]"""

    code = "segment_foreign"


class EndpointError(SegueError):
    """The UDP port cannot be opened.  [any]"""

    code = "endpoint"


class PortInUse(EndpointError):
    """Another program has the UDP port.  [any]"""

    code = "port_in_use"


class UnsafeBind(EndpointError):
    """Opening to a network without the required flag or secret.  [any]"""

    code = "unsafe_bind"


class NoAnswer(SegueError):
    """The engine did not answer in time.  [any]"""

    code = "no_answer"


class PresetError(SegueError):
    """There is no such preset, or its file has a fault.  [any]"""

    code = "bad_preset"


class EngineFault(SegueError):
    """An internal fault of the engine, not the caller's.  [any]"""

    code = "internal"


def _leaves(kind: type[SegueError]) -> list[type[SegueError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in _leaves(child))]


BY_CODE: dict[str, type[SegueError]] = {kind.code: kind for kind in _leaves(SegueError)}


def from_wire(code: str, text: str) -> SegueError:
    """The error of an error answer; an unknown code becomes part of the text.  [any]"""
    kind = BY_CODE.get(code)
    return kind(text) if kind else SegueError(f"{code}: {text}")
