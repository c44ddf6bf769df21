// The code of the audio thread: plugin_host/playback/processor.py in C++, with the same rules. MIT.
//
//   ring --read by position--> [real]--+--> out --> held bar (by phase)
//   held bar --in phase-------> [held]-+
//   silence ---------------------------+
//
// No lock, no allocation, no system call, no wait.
#pragma once
#include <atomic>

#include "held_bar.hpp"
#include "held_level.hpp"
#include "ring_reader.hpp"

namespace segue {

enum class State { idle = 0, playing = 1, holding = 2, muted = 3 };

struct Counters {
    uint64_t blocks = 0, samples = 0, played_samples = 0, underruns = 0, missed_samples = 0, held_samples = 0,
             muted_samples = 0, skipped_samples = 0, rejoins = 0, jumps = 0, tempo_changes = 0;
};

class Processor {
public:
    Processor(int sample_rate_hz, int channels);

    // Set another ring, or none, from the next block on. It must have this rate and these channels.  [session]
    void offer(RingReader* reader) { offered_.store(reader); }
    // Whether the audio thread may still use that ring.  [session]
    bool in_use(const RingReader* reader) const { return offered_.load() == reader || held_ring_.load() == reader; }
    RingReader* offered() const { return offered_.load(); }

    // Fill all of out[n * channels] with the audio for the transport's position.  [audio]
    // `rests`: nothing is due there, whatever the ring holds.
    void process(float* out, int n, const Transport& transport, bool rests = false);
    // Publish the host's position without a block, so that the engine can plan, before waiting for it.  [audio]
    void look_ahead(int n, const Transport& transport);
    // Whether the next block is complete. `expecting`: a stream was requested, so audio is due even before the engine
    // has a plan.  [audio]
    bool ready(int n, int64_t position, bool expecting);
    // A held bar continues to that position, whatever the ring's plan is.  [session]
    void hold_until(int64_t position) { hold_until_.store(position, std::memory_order_relaxed); }

    uint32_t seek_id() const { return seek_id_.load(std::memory_order_relaxed); }
    State state() const { return state_; }
    // Map memory before the audio thread needs it: for a bar twice as long as the present one, which also covers a
    // change of tempo. Call it repeatedly.  [session]
    void prepare();
    int64_t fill_samples = 0;
    Counters counters;
    RingCounters drops;
    int channels() const { return channels_; }
    int sample_rate_hz() const { return sample_rate_hz_; }

private:
    RingReader* take_offered();
    void follow(const Transport& transport, int n);
    bool settle();
    void find_bar(int64_t position);
    int64_t until_plan_end(int64_t position) const;
    void part(float* out, int n, int64_t position);
    bool late_takeover(int64_t position);
    bool over(int64_t position) const;
    bool due(int64_t position) const;
    void real(float* out, int n, int64_t position);
    bool enough(int64_t position) const;
    void missing(float* out, int n, int64_t position);
    void fill(float* out, int n, int64_t position);
    void rest(float* out, int n);
    void finish(float* out, int n, int64_t position);
    int64_t fill_at(int64_t position) const;

    int sample_rate_hz_, channels_;
    int64_t rejoin_samples_;
    Fade fade_;
    HeldBar held_;
    HeldLevel level_;
    State state_ = State::idle;
    std::atomic<uint32_t> seek_id_{0};
    std::atomic<RingReader*> offered_{nullptr}, held_ring_{nullptr};
    std::atomic<int64_t> bar_samples_{0}, hold_until_{INT64_MIN};
    RingReader* reader_ = nullptr;
    Grid grid_;
    bool known_ = false, rests_ = false;
    bool in_bar_ = true;  // store fades in the held bar too: both sides are neighbours there
    uint32_t plan_revision_ = 0;  // of the plan by which music was last read
    int64_t expected_ = 0, bar_start_ = 0, bar_end_ = 0, half_beat_samples_ = 0;
};

}  // namespace segue
