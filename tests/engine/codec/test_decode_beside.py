"""Decoding on a second thread: in order, with the owner's settings, the same audio, errors raised to the owner."""

from __future__ import annotations

import threading

import pytest
import torch

from engine.api.offline import decoded_as_made
from engine.audio.resample import StreamResampler
from engine.codec.beside import DecodeThread
from engine.codec.encodec import Encodec, EncodecConfig
from engine.serve.render.codec_output import CodecOutput
from engine.stream.lanes import LaneFrames


@pytest.fixture(scope="module")
def codec():
    torch.set_num_threads(1)
    torch.manual_seed(3)
    codec = Encodec(EncodecConfig(n_filters=2, dim=8, card=32)).eval()
    torch.nn.init.normal_(codec.quantizer.get_buffer("tables"))
    return codec


def random_codes(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(32, (4, frames), generator=torch.Generator().manual_seed(seed))


def test_work_is_done_in_order_on_another_thread():
    done: list[int] = []
    gate = threading.Event()

    def work(number: int) -> int:
        gate.wait(10.0)
        done.append(number)
        return threading.get_ident()

    with DecodeThread(threaded=True) as thread:
        begun = [thread.start(lambda number=number: work(number)) for number in range(5)]
        assert not any(each.done() for each in begun)  # submitted, not waited for
        gate.set()
        idents = {each.result(10.0) for each in begun}
    assert done == [0, 1, 2, 3, 4]
    assert len(idents) == 1
    assert threading.get_ident() not in idents


@pytest.mark.parametrize("flush", [False, True])
def test_tiny_numbers_are_treated_as_the_owner_treats_them(flush):
    if not torch.set_flush_denormal(flush):
        pytest.skip("this processor cannot flush tiny numbers to 0")
    with DecodeThread(threaded=True) as thread:
        product = thread.start(lambda: (torch.tensor(1e-40) * 1.0).item()).result()
    assert (product == 0.0) == flush


def test_no_gradients_are_kept_there(codec):
    with DecodeThread(threaded=True) as thread:
        assert not thread.start(lambda: torch.zeros(1, requires_grad=True) * 2.0).result().requires_grad


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize("pieces", [(4, 4, 4), (1, 7, 0), (12, 0, 0)])
def test_a_chain_gives_the_same_samples_however_much_was_begun(codec, pieces, threaded):
    codes, resampler = random_codes(40), StreamResampler(32_000, 48_000)
    plain, beside = CodecOutput(codec, resampler, 2), CodecOutput(codec, resampler, 2)
    wanted, got = [], []
    with DecodeThread(threaded=threaded) as thread:
        for begin in range(0, 40, 16):
            hop, at = codes[:, begin : begin + 16], 0
            wanted.append(plain.push(hop, last=begin == 32))
            for piece in pieces:
                beside.decoder.decode_beside(hop[:, at : at + piece], thread)
                at = min(at + piece, hop.shape[1])
            assert beside.decoder.begun_frames == at
            got.append(beside.push(hop, last=begin == 32))
            assert beside.decoder.begun_frames == 0
    torch.testing.assert_close(torch.cat(got), torch.cat(wanted), atol=1e-5, rtol=0)


def test_on_a_processor_it_is_done_at_once_by_whoever_gives_it():
    with DecodeThread("cpu") as thread:
        begun = thread.start(threading.get_ident)
        assert begun.done()
        assert begun.result() == threading.get_ident()


@pytest.mark.parametrize("threaded", [False, True])
def test_a_fault_in_decoding_is_raised_where_the_sound_is_asked_for(codec, threaded):
    chain = CodecOutput(codec, StreamResampler(32_000, 48_000), 1)
    with DecodeThread(threaded=threaded) as thread:
        chain.decoder.decode_beside(torch.full((4, 4), 99), thread)  # codes outside the codebook
        with pytest.raises((IndexError, RuntimeError)):
            chain.push(torch.full((4, 4), 99))


def test_pieces_of_an_offline_stream_come_whole_and_in_order(codec):
    codes = random_codes(30)
    given = [codes[None, :, begin : begin + 8] for begin in range(0, 30, 8)]
    pieces = list(decoded_as_made(codec, iter(given), "cpu"))
    assert torch.equal(torch.cat([each for _, each in pieces], dim=-1), codes[None])
    torch.testing.assert_close(
        torch.cat([audio for audio, _ in pieces], dim=-1), codec.decode(codes[None]), atol=1e-5, rtol=0
    )


def test_a_fault_in_making_ends_an_offline_stream_with_it(codec):
    def frames():
        yield random_codes(8)[None]
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(decoded_as_made(codec, frames(), "cpu"))
    assert not [each for each in threading.enumerate() if each.name.startswith("segue-codec")]


def test_frames_of_a_lane_are_put_together():
    first, fault = LaneFrames(random_codes(4), False), ValueError("gone")
    more = first.and_then(LaneFrames(random_codes(3, 1), False, fault))
    assert more.codes.shape == (4, 7)
    assert more.error is fault
    assert not more.goes_on
    assert first.goes_on
    assert not first.and_then(LaneFrames(random_codes(1), True)).goes_on
