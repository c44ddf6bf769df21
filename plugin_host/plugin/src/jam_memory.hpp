// What was played lately: the plugin's input and Segue's own output, where Segue may sound, and bars that go round. MIT.
//
//   position in the memory   0 ---------> 8 bars --------> 16 bars     counts on when the host's cycle leads back
//   host's position          4 -> 12 bars | 4 -> 12 bars | 4 ...       a jump to another place in the bar: a new stretch
//
// Bars count as the host's do where the stretch began, and on through its cycle.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "grid.hpp"
#include "words.hpp"

namespace segue {

// Music that goes round from a bar on, in place of the ring's: plugin_host/jam/deck.py's Repeat.
struct JamLap {
    int64_t from_bar = 0;
    std::atomic<int64_t> until_bar{INT64_MAX};
    int64_t source = 0;        // position of its first sample in the memory
    bool own = false;          // Segue's music, else the player's
    int64_t length = 0;        // samples
    int64_t known = 0;         // of them filled in; the audio thread fills in the rest as it is played
    std::vector<float> audio;  // interleaved
    uint32_t stretch = 0;
    int64_t start = INT64_MIN, entered = INT64_MIN;  // position of its first sample; where it began to sound
    std::atomic<int64_t> left{INT64_MAX};            // where it ended
};

// Fade out the last quarter of a beat of the player's music, interleaved: what is played into the bar line belongs to the
// next bar (plugin_host/jam/listening/handover.py).
void fade_into_the_bar(float* audio, int64_t count, int channels, const Grid& grid);

class JamMemory {
public:
    JamMemory(int64_t capacity, int channels);
    int64_t capacity() const { return capacity_; }
    int64_t end() const { return end_.load(std::memory_order_acquire); }
    uint64_t stretch() const { return memory_number_ | stretch_.load(std::memory_order_acquire); }  // its number

    // Before a part of a block that lies in one bar, while the host plays: whether nothing of Segue is due there: the
    // player's turn, or no turn yet after a jump.  [audio]
    bool rests(const Transport& transport);
    // The same, asked before the host moves there.  [audio]
    bool rests_at(const Transport& transport) const;
    // After it: bars that go round take the place of `own` (interleaved), then both are kept.  [audio]
    void pass(const Transport& transport, const float* const* in, float* own, int n);

    // What was played without a jump: its number (no two of a session have the same), grid, positions [begin, end); what
    // a position and a bar are more than the host's now; the host's cycle in bars, if it lies on bar lines.
    struct Stretch {
        uint64_t number = 0;
        Grid grid;
        int64_t begin = 0, end = 0;
        int64_t shift_samples = 0, shift_bars = 0;
        int64_t cycle_first = 0, cycle_bars = 0;  // of no cycle 0 bars
    };
    // The stretch that is played now; false while the audio thread begins another.  [session]
    bool look(Stretch& stretch) const;
    int64_t first() const;  // position that is still known  [session]
    // Copy positions [begin, end) of the input or of Segue's own, interleaved; false where they are no longer, or not
    // yet, known.  [session]
    bool read(int64_t begin, int64_t end, bool own, float* out) const;

    // Bars from one up to another go round. `lap` has source, length, own and bars; what the memory holds of it is
    // filled in unless it comes whole.  [session]
    void lay(std::unique_ptr<JamLap> lap);
    void end_laps(int64_t bar);
    // Free what has ended.  [session]
    void tidy();

    // Segue is to sound from a bar up to another, and until then as it was; to end earlier; not at all. What the ring or
    // a held bar has elsewhere is the player's turn.  [session]
    void allow(int64_t from_bar, int64_t until_bar);
    void end_at(int64_t bar);
    void silence();

private:
    static constexpr int laps_most = 4;
    // Where a position lies if it is played next: the bar in which the stretch is then, and the host's.
    struct Landing {
        bool goes_on;  // in the same stretch
        int64_t bar, host_bar;
    };
    Landing landing(int64_t position) const;
    void follow(const Transport& transport);
    void begin_anew(const Transport& transport);
    void note_cycle(const Transport& transport);
    bool held(int64_t begin, int64_t end) const;
    void sound(JamLap& lap, const Transport& transport, float* own, int n);
    void fill(JamLap& lap, int64_t known);
    int64_t slot(int64_t at) const { return (at % capacity_ + capacity_) % capacity_ * channels_; }

    const int64_t capacity_;
    const int channels_;
    const uint64_t memory_number_;  // in the upper half of its stretches' numbers
    std::vector<float> in_, own_;
    std::atomic<int64_t> begin_{0}, end_{0};
    std::atomic<uint32_t> sequence_{0};  // odd while grid, shifts and cycle are written
    std::atomic<uint32_t> stretch_{0};
    Grid grid_;
    int64_t shift_samples_ = 0, shift_bars_ = 0, cycle_first_ = 0, cycle_bars_ = 0;
    bool looping_ = false;
    double cycle_begin_beats_ = 0, cycle_end_beats_ = 0;
    struct Window {
        std::atomic<uint32_t> stretch{0};
        std::atomic<int64_t> from{INT64_MIN}, until{INT64_MIN};
    };
    std::atomic<bool> gated_{false};
    Window windows_[2];  // the one before, this
    std::atomic<uint32_t> passing_{0};  // odd while the audio thread uses laps
    std::atomic<JamLap*> laps_[laps_most] = {};
    struct Old {
        std::unique_ptr<JamLap> lap;
        uint32_t passing;
    };
    std::vector<std::unique_ptr<JamLap>> alive_;
    std::vector<Old> old_;
};

}  // namespace segue
