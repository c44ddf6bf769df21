// The host's reported time, and the grid that follows from it. MIT.
#pragma once
#include <atomic>

#include "grid.hpp"

namespace segue {

// One block's time as the format reports it; `valid` is false if the host reports none.
struct HostTime {
    bool valid = false;
    bool playing = false, recording = false, offline = false, looping = false;
    int64_t position_samples = 0;
    double tempo_bpm = 120.0;
    bool has_beats = false;
    double beats = 0.0;       // quarter notes
    double bar_beats = 0.0;   // a beat on which a bar begins
    int numerator = 4, denominator = 4;
    double loop_start_beats = 0.0, loop_end_beats = 0.0;
};

// The time that the entry of VST3 or CLAP stored for this thread's next block; LV2 and others do not set it.
#ifdef __linux__  // allocated from the start: a thread's first block allocates nothing
#define SEGUE_THREAD_LOCAL __attribute__((tls_model("initial-exec"))) thread_local
#else
#define SEGUE_THREAD_LOCAL thread_local
#endif
extern SEGUE_THREAD_LOCAL HostTime host_time_of_block;
// For the entry of CLAP: bits of the parameters of which the block's host is to be notified.
extern SEGUE_THREAD_LOCAL std::atomic<uint64_t>* turned_of_block;

// Converts host times to transports whose grid keeps its anchor as long as the tempo stays.
class HostClock {
public:
    explicit HostClock(int sample_rate_hz) { transport_.grid.sample_rate_hz = sample_rate_hz; }
    // The transport of a block of n samples.  [audio]
    const Transport& follow(const HostTime& time, int n);
    // Our own clock, for hosts without one: runs from 0 while `running`.  [audio]
    const Transport& own(bool running, double tempo_bpm, int n);
    // The transport of the same block's part that begins n samples later.  [audio]
    void advance(int n) { transport_.position_samples += transport_.playing ? n : 0; }
    const Transport& now() const { return transport_; }

private:
    void set_line(const HostTime& time, bool jumped);
    Transport transport_;
    int64_t expected_ = 0;
    bool known_ = false;
    int disagreed_ = 0;
};

}  // namespace segue
