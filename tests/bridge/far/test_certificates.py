"""Both sides compute the same certificates; another secret, or none, does not come in."""

import ssl

import pytest

from bridge.far import certificates
from bridge.far.certificates import ENGINE, RELAY, FarSecretError

pytest.importorskip("cryptography")
SECRET, OTHER = "0123456789abcdef", "0123456789abcdeX"


def shake(engine: ssl.SSLContext, relay: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.SSLObject, bytes]:
    """Both ends after their handshake and a first message each way, and all bytes that travelled."""
    to_engine, to_relay = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        engine.wrap_bio(to_engine, to_relay, server_side=True),
        relay.wrap_bio(to_relay, to_engine, server_side=False),
    )
    travelled, done = b"", [False, False]
    steps = [lambda: ends[1].do_handshake(), lambda: ends[0].do_handshake()]
    for _ in range(10):
        for at, step in enumerate(steps):
            try:
                step()
                done[at] = True
            except ssl.SSLWantReadError:
                pass
            for bio in (to_engine, to_relay):  # read and put back: what is on the wire
                data = bio.read()
                travelled += data
                bio.write(data)
        if all(done):
            ends[0].write(b"hello from the engine")
            assert ends[1].read() == b"hello from the engine"
            return *ends, travelled
    raise AssertionError("no handshake")


def test_the_same_secret_comes_in_and_is_pinned_and_does_not_travel() -> None:
    engine, relay, travelled = shake(certificates.context_for(ENGINE, SECRET), certificates.context_for(RELAY, SECRET))
    assert engine.version() == relay.version() == "TLSv1.3"
    assert certificates.is_other(ENGINE, SECRET, engine.getpeercert(True))
    assert certificates.is_other(RELAY, SECRET, relay.getpeercert(True))
    assert not certificates.is_other(RELAY, OTHER, relay.getpeercert(True))
    assert not certificates.is_other(ENGINE, SECRET, None)
    assert SECRET.encode() not in travelled


@pytest.mark.parametrize(("engine", "relay"), [(SECRET, OTHER), (OTHER, SECRET)])
def test_another_secret_is_refused(engine: str, relay: str) -> None:
    with pytest.raises(ssl.SSLError):
        shake(certificates.context_for(ENGINE, engine), certificates.context_for(RELAY, relay))


def test_an_engine_cannot_stand_in_for_a_relay_nor_somebody_without_a_certificate() -> None:
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    reflected = certificates.context_for(ENGINE, SECRET)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    for each in (bare, client):
        with pytest.raises(ssl.SSLError):
            shake(reflected, each)


def test_a_short_secret_is_refused_with_what_to_do() -> None:
    with pytest.raises(FarSecretError, match=r"needs 16 or more.*openssl rand"):
        certificates.context_for(ENGINE, "short")
