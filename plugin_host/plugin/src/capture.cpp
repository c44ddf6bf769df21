// Recording the plugin's input: see capture.hpp. MIT.
#include "capture.hpp"

#include <algorithm>
#include <unistd.h>

namespace segue {

std::unique_ptr<Capture> Capture::create(int number, int rate, int channels, int64_t capacity, std::string& why) {
    const size_t bytes = SEGUE_CAPTURE_PAYLOAD + sizeof(float) * static_cast<size_t>(channels) * capacity;
    auto segment = Segment::create(segment_name(getpid(), number), bytes, why);
    if (!segment) return nullptr;
    segment->populate();
    std::unique_ptr<Capture> made(new Capture(std::move(segment)));
    made->capacity_ = capacity;
    made->channels_ = channels;
    made->rate_ = rate;
    segue_capture_identity& id = made->header()->identity;
    id.version = SEGUE_CAPTURE_VERSION;
    id.segment_bytes = bytes;
    id.sample_rate_hz = static_cast<uint32_t>(rate);
    id.channels = static_cast<uint32_t>(channels);
    id.capacity_samples = static_cast<uint64_t>(capacity);
    id.payload_offset = SEGUE_CAPTURE_PAYLOAD;
    id.host_pid = static_cast<uint32_t>(getpid());
    id.created_ns = monotonic_ns();
    release(id.magic, SEGUE_CAPTURE_MAGIC);
    return made;
}

double Capture::bars() const {
    const segue_captured& c = header()->captured;
    return seconds() * c.tempo_bpm / 60 * c.signature_denominator / (4.0 * std::max(c.signature_numerator, 1u));
}

void Capture::begin(const Transport& transport, int64_t position, double beats) {
    segue_captured& c = header()->captured;
    release(c.capture_state, capture_recording);
    put(c.capture_number, c.capture_number + 1);
    fence();
    put(c.n_samples, 0);
    put(c.position_samples, position);
    put(c.start_beats, beats);
    put(c.tempo_bpm, transport.grid.tempo_bpm);
    put(c.signature_numerator, transport.grid.numerator);
    put(c.signature_denominator, transport.grid.denominator);
}

void Capture::put_whole(const segue_captured& about) {
    segue_captured& c = header()->captured;
    const uint32_t number = c.capture_number + 1;
    c = about;
    c.capture_number = number;
    c.capture_state = capture_empty;
    release(c.capture_state, capture_whole);
}

void Capture::add(const float* const* in, int from, int n, int64_t at) {
    float* to = payload() + at * channels_;
    const int64_t room = std::min<int64_t>(n, capacity_ - at);
    for (int64_t i = 0; i < room; ++i)
        for (int c = 0; c < channels_; ++c) to[i * channels_ + c] = in[c][from + i];
}

void Capture::finish(int64_t n_samples) {
    put(header()->captured.n_samples, n_samples);
    release(header()->captured.capture_state, capture_whole);
}

void Recorder::arm(bool armed) {
    if (armed && !armed_) {
        planned_ = false;
        done_ = had_its_turn_.exchange(false);
    }
    armed_ = armed;
}

void Recorder::process(const float* const* in, int n, const Transport& transport, bool armed, int bars) {
    arm(armed);
    Capture* capture = offered_.load();
    held_.store(capture);
    if (offered_.load() != capture) capture = nullptr;  // it was just withdrawn: next block
    const bool moved = transport.position_samples != expected_ || !transport.grid.same(grid_);
    if (!armed || done_ || !transport.playing) {
        stop(capture);
        wanted_.store(armed && !done_ ? wanted_.load() : 0, std::memory_order_relaxed);
        if (armed && !done_) plan(transport, transport.position_samples, bars);
    } else {
        if (moved) stop(capture);
        if (!planned_) plan(transport, transport.position_samples, bars);  // a bar line at the block's start counts
        record(capture, in, n, transport);
        if (!done_ && !recording_ && transport.position_samples + n > begin_) planned_ = false;  // late: the next
        if (!planned_ && !done_) plan(transport, transport.position_samples + n, bars);
    }
    expected_ = transport.position_samples + (transport.playing ? n : 0);
    grid_ = transport.grid;
    held_.store(nullptr);
}

void Recorder::look_ahead(const Transport& transport, bool armed, int bars) {
    arm(armed);
    if (armed && !done_ && !recording_) plan(transport, transport.position_samples, bars);
}

// There is room once the previous capture was delivered and cleared.
bool Recorder::prepared() {
    if (recording_ || wanted_samples() == 0) return true;
    Capture* capture = offered_.load();
    held_.store(capture);
    const bool there = capture && offered_.load() == capture && capture->capacity() >= wanted_samples() &&
                       capture->state() == capture_empty;
    held_.store(nullptr);
    return there;
}

// Choose the stretch to record; it begins at `from` or later.
void Recorder::plan(const Transport& transport, int64_t from, int bars) {
    const Grid& grid = transport.grid;
    if (bars <= 0 && transport.looping) {
        begin_beats_ = transport.loop_start_beats;
        begin_ = grid.sample_at(begin_beats_);
        end_ = grid.sample_at(transport.loop_end_beats);
    } else {
        const int64_t bar = grid.next_bar(from);
        begin_beats_ = static_cast<double>(grid.bar_start_beats(bar));
        begin_ = grid.bar_start(bar);
        end_ = grid.bar_start(bar + std::max(bars > 0 ? bars : 4, 1));
    }
    planned_ = true;
    wanted_.store(end_ - begin_ + 1, std::memory_order_relaxed);
}

void Recorder::record(Capture* capture, const float* const* in, int n, const Transport& transport) {
    const int64_t here = transport.position_samples;
    if (!recording_) {
        if (!planned_ || begin_ < here || begin_ >= here + n) return;
        if (!capture || capture->capacity() < end_ - begin_ || capture->state() != capture_empty) {
            planned_ = false;
            return;
        }
        capture->begin(transport, begin_, begin_beats_);
        recording_ = true;
    }
    const int64_t first = std::max(here, begin_), last = std::min(here + n, end_);
    if (!capture || last < first) {
        stop(capture);
        return;
    }
    capture->add(in, static_cast<int>(first - here), static_cast<int>(last - first), first - begin_);
    if (last == end_) {
        capture->finish(end_ - begin_);
        recording_ = planned_ = false;
        done_ = true;
        wanted_.store(0, std::memory_order_relaxed);
    }
}

void Recorder::stop(Capture* capture) {
    if (recording_ && capture) capture->drop();
    recording_ = planned_ = false;
}

}  // namespace segue
