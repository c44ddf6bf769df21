// The part of a plugin instance that does not depend on the format. MIT.
#pragma once
#include <memory>
#include <vector>

#include "host_time.hpp"
#include "session.hpp"

namespace segue {

class LaneHost {
public:
    LaneHost(Values& values, int sample_rate_hz, int channels);
    Session& session() { return session_; }
    const Processor& processor() const { return processor_; }
    void play(RingReader* reader) { processor_.offer(reader); }  // without a session, to measure  [session]
    void wait_at_most(uint64_t ns) { patience_ns_ = ns; }        // for an engine, to measure  [audio]
    // One block of any size; `in` may be `out`.  [audio]
    void run(const float* const* in, float* const* out, int n, const HostTime& time);

private:
    void part(const float* const* in, float* const* out, int from, int n, bool offline, const Transport& transport);
    void tell(const Transport& transport);
    void count_offs();
    void count_presses();
    int until_bar_line(const Transport& transport, int most) const;
    bool clock_of_our_own(const HostTime& time, bool rendered);
    bool can_begin(int n, bool offline);
    void prepare_to_record(const Transport& transport);
    bool outruns_the_clock(int n, bool running);
    void wait_for_engine(int n, const Transport& transport);
    bool caught_up(int n, const Transport& transport, const Transport& standing);
    bool ready(int n, const Transport& transport);
    bool jam_ready();
    bool jam_rests(const Transport& transport);
    JamMemory* take_memory();
    void trace(const float* const* in, int n, const Transport& transport);
    void mix(const float* const* in, float* const* out, int from, int n) const;

    Values& values_;
    Shared shared_;
    Processor processor_;
    Recorder recorder_;
    Session session_;
    HostClock clock_;
    std::vector<float> wet_;  // interleaved
    bool pressed_[n_jam_verbs] = {};
    uint32_t engines_ = 0;  // that there had been when it waited last
    bool gave_up_ = false, was_on_ = false, begun_ = false;
    int64_t last_position_ = 0;
    uint64_t outrun_from_ns_ = 0, outrun_samples_ = 0;
    uint64_t patience_ns_ = 10000000000u;  // halved after each wait in vain
};

}  // namespace segue
