// The sequence lock of shared memory: odd while the writer is inside; twin of bridge/ring/sequence_lock.py. MIT.
#pragma once

#include "words.hpp"

namespace segue {

constexpr int sequence_tries = 8;

// Calls copy() if the sequence is not `known`. True if the copy is whole; `known` is then its sequence.  [audio]
template <class Copy> bool read_locked(const uint32_t& sequence, uint32_t& known, Copy copy) {
    for (int attempt = 0; attempt < sequence_tries; ++attempt) {
        const uint32_t before = acquired(sequence);
        if (before == known) return false;
        if (before & 1) continue;
        copy();
        fence();
        if (relaxed(sequence) != before) continue;
        known = before;
        return true;
    }
    return false;
}

// Calls fill() between an odd and the next even sequence; 0 is left out: it means "never written".  [audio]
template <class Fill> void write_locked(uint32_t& sequence, Fill fill) {
    const uint32_t odd = relaxed(sequence) | 1;
    put(sequence, odd);
    fence();
    fill();
    fence();
    release(sequence, odd + 1 ? odd + 1 : 2u);
}

}  // namespace segue
