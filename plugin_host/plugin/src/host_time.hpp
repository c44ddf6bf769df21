// What a host says of its time, and the grid that follows from it. MIT.
#pragma once
#include <atomic>

#include "grid.hpp"

namespace segue {

// One block's time as the format tells it; `valid` is false where the host says nothing.
struct HostTime {
    bool valid = false;
    bool playing = false, recording = false, offline = false, looping = false;
    int64_t position_samples = 0;
    double tempo_bpm = 120.0;
    bool has_beats = false;
    double beats = 0.0;       // quarter notes
    double bar_beats = 0.0;   // a beat on which some bar begins
    int numerator = 4, denominator = 4;
    double loop_start_beats = 0.0, loop_end_beats = 0.0;
};

// What the entry of VST3 or CLAP has noted for the block this thread is about to run; LV2 and others leave it alone.
#ifdef __linux__  // thread-local memory that is there from the start: nothing is allocated at a thread's first block
#define SEGUE_THREAD_LOCAL __attribute__((tls_model("initial-exec"))) thread_local
#else
#define SEGUE_THREAD_LOCAL thread_local
#endif
extern SEGUE_THREAD_LOCAL HostTime host_time_of_block;
// For the entry of CLAP: bit of a parameter of the block's plugin that its host is to be notified of.
extern SEGUE_THREAD_LOCAL std::atomic<uint32_t>* turned_of_block;

// Turns host times into transports whose grid has an anchor that stays while the tempo does.
class HostClock {
public:
    explicit HostClock(int sample_rate_hz) { transport_.grid.sample_rate_hz = sample_rate_hz; }
    // The transport of a block of n samples.  [audio]
    const Transport& follow(const HostTime& time, int n);
    // A clock of our own, for hosts without one: runs from 0 while `running`.  [audio]
    const Transport& own(bool running, double tempo_bpm, int n);
    // The part of the same block that begins n samples later.  [audio]
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
