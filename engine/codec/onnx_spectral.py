"""The embedded codec's decoder network on ONNX Runtime on a CPU: 8-bit weights, one call for some frames.

window [1, T, latent * (lookahead + 1)], past_0.. [1, kernel - 1, W]  ->  log-magnitudes [1, T, spectrum], after_0..
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.codec.spectral_net import CausalBlock, SpectralNet
from engine.ort.graph import CONTRIB, Graph
from engine.ort.quantised import array_of, product
from engine.ort.session import Session


def spectra_graph(net: SpectralNet, n_frames: int, bits: int | None) -> Graph:
    """The graph of `SpectralNet.spectra` on windows of latents, always `n_frames`; `bits` None = float32.  [any]"""
    config = net.config
    graph = Graph(inputs={"window": [1, n_frames, net.decoder_in.in_features]})
    x = product(graph, "window", net.decoder_in.weight, "in", bits, net.decoder_in.bias)
    for index, block in enumerate(net.decoder):
        assert isinstance(block, CausalBlock)
        x = _block(graph, block, x, index, n_frames, bits)
    out = product(graph, x, net.decoder_out.weight, "out", bits, net.decoder_out.bias)
    now = graph.one("Slice", "window", graph.numbers(0), graph.numbers(config.latent), graph.numbers(2))
    direct = product(graph, now, net.synthesis.weight, "direct", bits, net.mean)
    loud = graph.one("Min", graph.one("Add", direct, out), graph.weight("ceiling", array_of(net.ceiling)))
    graph.name_output(loud, "spectra", [1, n_frames, config.spectrum])
    return graph


def _block(graph: Graph, block: CausalBlock, x: str, index: int, n_frames: int, bits: int | None) -> str:
    """One block; its depthwise convolution is one product and sum per tap."""
    name, kernel = f"block{index}", block.kernel
    affine = [graph.weight(f"{name}.{part}", array_of(getattr(block.norm, part))) for part in ("weight", "bias")]
    normed = graph.one("LayerNormalization", x, *affine, axis=-1, epsilon=block.norm.eps)
    dims = [1, kernel - 1, block.depthwise.shape[0]]
    joined = graph.one("Concat", graph.input(f"past_{index}", dims), normed, axis=1)
    taps = [
        graph.one(
            "Mul",
            graph.one("Slice", joined, graph.numbers(tap), graph.numbers(tap + n_frames), graph.numbers(1)),
            graph.weight(f"{name}.tap{tap}", array_of(block.depthwise)[:, tap]),
        )
        for tap in range(kernel)
    ]
    after = graph.one("Slice", joined, graph.numbers(n_frames), graph.numbers(n_frames + kernel - 1), graph.numbers(1))
    graph.name_output(after, f"after_{index}", dims)
    wide = product(graph, graph.one("Sum", *taps), block.widen.weight, f"{name}.widen", bits, block.widen.bias)
    active = graph.one("Gelu", wide, domain=CONTRIB)
    narrow = product(graph, active, block.narrow.weight, f"{name}.narrow", bits, block.narrow.bias)
    return graph.one("Add", x, narrow)


class OnnxSpectra:
    """Replaces `SpectralNet.spectra` if one stream's frames come in groups of `n_frames`.

    Raises UnsupportedError if ONNX Runtime does not run it.  [generate]
    """

    def __init__(self, net: SpectralNet, n_frames: int, bits: int | None = 8) -> None:
        self.net, self.n_frames = net, n_frames
        self._session = Session(spectra_graph(net, n_frames, bits), what="the embedded codec")

    def __call__(self, latents: Tensor, past: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """Latents [1, n_frames, latent] to log-magnitudes [1, n_frames, spectrum], and the new past.  [generate]"""
        session, binding = self._session, self._session.binding()
        blocks = [block for block in self.net.decoder if isinstance(block, CausalBlock)]
        shapes = [(1, block.kernel - 1, block.depthwise.shape[0]) for block in blocks]
        kept = None if past is None else past[: len(blocks)]
        before = [torch.zeros(shape) for shape in shapes] if kept is None else [x.contiguous() for x in kept]
        after = [torch.empty(shape) for shape in shapes]
        window, heard = self.net.window(latents, past)
        spectra, window = torch.empty(1, self.n_frames, self.net.config.spectrum), window.contiguous()
        session.bind_input(binding, "window", window)
        session.bind_output(binding, "spectra", spectra)
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            session.bind_input(binding, f"past_{index}", old)
            session.bind_output(binding, f"after_{index}", new)
        session.run(binding)
        return spectra, [*after, heard]
