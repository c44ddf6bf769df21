// C functions of the processor and the ring reader, for the tests and `measure` (ctypes). MIT.
#include <algorithm>
#include <cstring>
#ifdef __linux__
#include <sys/resource.h>
#endif

#include "jam_leak.hpp"
#include "jam_memory.hpp"
#include "jam_plan.hpp"
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

// -- the plan of a jam --------------------------------------------------------------------------------

JamPlan* segue_jam_new(int mode, int bars) { return new JamPlan(static_cast<JamMode>(mode), bars); }
void segue_jam_free(JamPlan* plan) { delete plan; }
void segue_jam_moved(JamPlan* plan, int64_t bar, int64_t to_bar, int ordered) { plan->moved(bar, to_bar, ordered != 0); }
int segue_jam_phase(JamPlan* plan) { return plan->phase(); }
int64_t segue_jam_change_bar(JamPlan* plan) { return plan->change_bar(); }

// The orders of a beat: kind, bar, bars, begin, end and own of each in `out`, at most `room`; returns how many.
int segue_jam_tick(JamPlan* plan, double beats, double beats_per_bar, int lead_beats, int every_bars, int playing,
                   double tempo_bpm, double* out, int room) {
    const auto orders = plan->tick({beats, beats_per_bar, lead_beats, every_bars, playing != 0, tempo_bpm});
    for (size_t i = 0; i < orders.size() && static_cast<int>(i) < room; ++i) {
        const JamOrder& order = orders[i];
        const double values[] = {static_cast<double>(order.kind), static_cast<double>(order.bar),
                                 static_cast<double>(order.bars), order.begin, order.end, order.own ? 1.0 : 0.0};
        std::memcpy(out + 6 * i, values, sizeof values);
    }
    return static_cast<int>(orders.size());
}

// A press at a beat; its text in `text`. Returns the bar from which it is heard; `accepted` 1 or 0.
int64_t segue_jam_press(JamPlan* plan, int verb, int bars, double at_beats, double beats, double beats_per_bar,
                        int lead_beats, double tempo_bpm, int* accepted, char* text, int size) {
    const JamMoment now{beats, beats_per_bar, lead_beats, 1, false, tempo_bpm};
    const JamReply reply = plan->press({static_cast<JamVerb>(verb), bars}, at_beats, now);
    *accepted = reply.accepted;
    std::strncpy(text, reply.said(reply.bar + 1).c_str(), static_cast<size_t>(size) - 1);
    return reply.bar;
}

// What a memory of the jam gives an answer to listen to: all of `in` and `own`, interleaved, of two channels.
int segue_jam_heard(const float* left, const float* right, float* own, int n, double tempo_bpm, int rate, float* out) {
    JamMemory memory(n + 32768, 2);
    Transport transport;
    transport.playing = true;
    transport.grid.sample_rate_hz = rate;
    transport.grid.tempo_bpm = tempo_bpm;
    const float* in[] = {left, right};
    memory.pass(transport, in, own, n);
    if (!memory.read(0, n, false, out)) return 0;
    fade_into_the_bar(out, n, 2, transport.grid);
    for (int i = 0; i < 2 * n; ++i) out[i] += own[i];
    return 1;
}

// What is left of the leak: `in` and `own` [n], mono, pass in bars of 2 s at 120; then all of it is cleaned into `out`.
int segue_jam_leak(const float* in, float* own, int n, int rate, float* out) {
    JamMemory memory(n + 32768, 1);
    JamLeak leak(rate, 1);
    Transport transport;
    transport.playing = true;
    transport.grid.sample_rate_hz = rate;
    for (int at = 0; at < n; at += 2 * rate) {
        const int count = std::min(2 * rate, n - at);
        const float* part[] = {in + at};
        transport.position_samples = at;
        memory.pass(transport, part, own + at, count);
        leak.learn(memory, at, at + count);
    }
    if (!memory.read(0, n, false, out)) return -1;
    leak.clean(memory, 0, n, out);
    return leak.found() ? static_cast<int>(10 * leak.delay_ms() + 0.5) : 0;
}

// Lead in beats and interval in bars after these measurements, in seconds; after a negative one the engine fell behind,
// after 0 it did not. `needs`: what the engine needs, by itself.
void segue_jam_pace(const double* seconds, int count, const double* needs, int n_needs, double tempo_bpm,
                    double beats_per_bar, int bars, int* out) {
    JamPace pace;
    for (int i = 0; i < n_needs; ++i) pace.needs(needs[i]);
    for (int i = 0; i < count; ++i) {
        if (seconds[i] > 0)
            pace.took(seconds[i]);
        else
            pace.listened(seconds[i] < 0);
    }
    out[0] = pace.lead_beats(tempo_bpm);
    out[1] = pace.every_bars(bars, beats_per_bar, tempo_bpm);
}

}  // extern "C"
