// C functions of the processor and the ring reader, for the tests and `measure` (ctypes). MIT.
#include <cstring>
#ifdef __linux__
#include <sys/resource.h>
#endif

#include "processor.hpp"

using namespace segue;

struct Lane {
    Processor processor;
    std::unique_ptr<RingReader> reader;
    Transport transport;
    Lane(int rate, int channels) : processor(rate, channels) { transport.grid.sample_rate_hz = rate; }
};

extern "C" {

Lane* segue_lane_new(int rate, int channels) { return new Lane(rate, channels); }
void segue_lane_free(Lane* lane) { delete lane; }

// 1 if attached; else 0, and the reason in `why`.
int segue_lane_attach(Lane* lane, const char* name, char* why, int size) {
    std::string reason;
    auto reader = RingReader::attach(name, reason);
    std::strncpy(why, reason.c_str(), size - 1);
    if (!reader) return 0;
    reader->loudest = 1e15f;  // tests use samples that are their numbers
    lane->processor.offer(reader.get());
    lane->reader = std::move(reader);
    return 1;
}

void segue_lane_grid(Lane* lane, double bpm, int numerator, int denominator, int64_t anchor_samples,
                     double anchor_beats, double origin) {
    Grid& grid = lane->transport.grid;
    grid = Grid{grid.sample_rate_hz, bpm, numerator, denominator, anchor_samples, anchor_beats, origin};
}

void segue_lane_loop(Lane* lane, int looping, double start_beats, double end_beats) {
    lane->transport.looping = looping;
    lane->transport.loop_start_beats = start_beats;
    lane->transport.loop_end_beats = end_beats;
}

void segue_lane_process(Lane* lane, float* out, int n, int playing, int64_t position) {
    lane->transport.playing = playing;
    lane->transport.position_samples = position;
    lane->processor.process(out, n, lane->transport);
}

int segue_lane_ready(Lane* lane, int n, int64_t position, int expecting) {
    return lane->processor.ready(n, position, expecting);
}
void segue_lane_hold_until(Lane* lane, int64_t position) { lane->processor.hold_until(position); }

int segue_lane_state(Lane* lane) { return static_cast<int>(lane->processor.state()); }
int64_t segue_lane_fill(Lane* lane) { return lane->processor.fill_samples; }

void segue_lane_prepare(Lane* lane) { lane->processor.prepare(); }

#ifdef __linux__
// Process `blocks` consecutive blocks of n samples; returns this thread's page faults meanwhile.
int64_t segue_lane_faults(Lane* lane, float* out, int n, int64_t position, int blocks) {
    int64_t faults = 0;
    rusage before{}, after{};
    lane->transport.playing = true;
    for (int i = 0; i < blocks; ++i) {
        lane->transport.position_samples = position + int64_t(i) * n;
        getrusage(RUSAGE_THREAD, &before);
        lane->processor.process(out, n, lane->transport);
        getrusage(RUSAGE_THREAD, &after);
        faults += after.ru_minflt - before.ru_minflt + after.ru_majflt - before.ru_majflt;
    }
    return faults;
}
#endif

// The counters in the order of plugin_host.playback.processor.Counters, then the ring's.
void segue_lane_counters(Lane* lane, uint64_t* out) {
    std::memcpy(out, &lane->processor.counters, sizeof(Counters));
    std::memcpy(reinterpret_cast<char*>(out) + sizeof(Counters), &lane->processor.drops, sizeof(RingCounters));
}

int64_t segue_sample_at(Lane* lane, double beats) { return lane->transport.grid.sample_at(shortest(beats)); }
int64_t segue_bar_at(Lane* lane, int64_t position) { return lane->transport.grid.bar_at(position); }
int64_t segue_bar_start(Lane* lane, int64_t bar) { return lane->transport.grid.bar_start(bar); }

}  // extern "C"
