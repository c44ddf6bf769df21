// What was played lately: the plugin's input and Segue's own output by host position, and repeats of it. MIT.
#pragma once
#include <atomic>
#include <vector>

#include "grid.hpp"
#include "words.hpp"

namespace segue {

class JamMemory {
public:
    JamMemory(int64_t capacity, int channels);
    int64_t capacity() const { return capacity_; }
    int64_t end() const { return end_.load(std::memory_order_acquire); }
    uint64_t stretch() const { return memory_number_ | sequence_.load(std::memory_order_acquire); }  // its number

    // One part of a block while the host plays: a repeat that is due goes into `own` (interleaved), then both are kept.
    // A position that does not follow begins anew.  [audio]
    void pass(const Transport& transport, const float* const* in, float* own, int n);

    // What was played without a jump: its number (no two of a session have the same), grid, and positions [begin, end).
    struct Stretch {
        uint64_t number = 0;
        Grid grid;
        int64_t begin = 0, end = 0;
    };
    // The stretch that is played now; false while the audio thread begins another.  [session]
    bool look(Stretch& stretch) const;
    // Copy positions [begin, end) of the input, interleaved; false where they are no longer, or not yet, known.
    // `to_answer`: with Segue's own output, and the last quarter of a beat of the input faded out: what is played into
    // the bar line belongs to the next bar (plugin_host/jam/listening/handover.py).  [session]
    bool read(int64_t begin, int64_t end, bool to_answer, float* out) const;
    // From a position on, up to another, the input of so many samples before sounds once more.  [session]
    void repeat(int64_t from, int64_t until, int64_t back);

    // Segue is to sound from a position up to another, and until then as it was; to end earlier; not at all. What the
    // ring or a held bar has elsewhere is the player's turn.  [session]
    void allow(int64_t from, int64_t until);
    void end_at(int64_t until);
    void silence();

private:
    void gate(int64_t position, float* own, int n);
    bool held(int64_t begin, int64_t end) const;
    void sound(int64_t position, float* own, int n);

    const int64_t capacity_;
    const int channels_;
    const uint64_t memory_number_;  // in the upper half of its stretches' numbers
    std::vector<float> in_, own_;
    std::atomic<int64_t> begin_{0}, end_{0};
    std::atomic<uint32_t> sequence_{0};  // odd while the grid is written
    Grid grid_;
    std::atomic<int64_t> repeat_from_{0}, repeat_until_{INT64_MIN}, repeat_back_{0};
    std::atomic<bool> gated_{false};
    std::atomic<int64_t> from_[2] = {INT64_MIN, INT64_MIN}, until_[2] = {INT64_MIN, INT64_MIN};  // the one before, this
    float gain_ = 1;
};

}  // namespace segue
