// Recording the plugin's input, exact to the bar line, into a segment that the engine reads. docs/capture.md. MIT.
#pragma once
#include <atomic>
#include <memory>

#include "grid.hpp"
#include "segment.hpp"
#include "segue_capture.h"
#include "words.hpp"

namespace segue {

enum { capture_empty = 0, capture_recording = 1, capture_whole = 2 };

class Capture {
public:
    // A segment with room for these samples; null and `why` if there is no memory.  [session]
    static std::unique_ptr<Capture> create(int number, int rate, int channels, int64_t capacity, std::string& why);
    int64_t capacity() const { return capacity_; }
    const std::string& name() const { return segment_->name(); }
    uint32_t state() const { return acquired(header()->captured.capture_state); }
    double seconds() const { return static_cast<double>(header()->captured.n_samples) / rate_; }
    double bars() const;
    const segue_captured& about() const { return header()->captured; }
    int64_t n_samples() const { return static_cast<int64_t>(header()->captured.n_samples); }
    int sample_rate_hz() const { return rate_; }
    int channels() const { return channels_; }
    // Its audio, interleaved; valid only while it is whole or new.  [session]
    float* payload() const { return reinterpret_cast<float*>(segment_->data() + SEGUE_CAPTURE_PAYLOAD); }
    // Mark a new one, whose payload was filled elsewhere, as whole.  [session]
    void put_whole(const segue_captured& about);
    void clear() { release(header()->captured.capture_state, capture_empty); }  // [session]

    void begin(const Transport& transport, int64_t position, double beats);       // [audio]
    void add(const float* const* in, int from, int n, int64_t at);                // [audio]
    void finish(int64_t n_samples);                                               // [audio]
    void drop() { release(header()->captured.capture_state, capture_empty); }     // [audio]

private:
    explicit Capture(std::unique_ptr<Segment> segment) : segment_(std::move(segment)) {}
    segue_capture_header* header() const { return reinterpret_cast<segue_capture_header*>(segment_->data()); }
    std::unique_ptr<Segment> segment_;
    int64_t capacity_ = 0;
    int channels_ = 2, rate_ = 48000;
};

// When to record: the host's loop, or a number of bars from the next bar line.
class Recorder {
public:
    // The capture to record into, or null; freed only if not `in_use`.  [session]
    void offer(Capture* capture) { offered_.store(capture); }
    bool in_use(const Capture* capture) const { return offered_.load() == capture || held_.load() == capture; }
    // Samples that the next recording needs; 0: none.  [session]
    int64_t wanted_samples() const { return wanted_.load(std::memory_order_relaxed); }

    // Capture was on when the song was saved and has recorded: it waits until it is turned off and on.  [session]
    void had_its_turn() { had_its_turn_.store(true); }

    // Record a part of a block; `armed` is the parameter, `again` records repeatedly.  [audio]
    void process(const float* const* in, int n, const Transport& transport, bool armed, int bars);
    // For a host that may wait, before a part is recorded: requests room; returns whether it is there.  [audio]
    void look_ahead(const Transport& transport, bool armed, int bars);
    bool prepared();

private:
    void arm(bool armed);
    void plan(const Transport& transport, int64_t from, int bars);
    void record(Capture* capture, const float* const* in, int n, const Transport& transport);
    void stop(Capture* capture);

    std::atomic<Capture*> offered_{nullptr}, held_{nullptr};
    std::atomic<int64_t> wanted_{0};
    std::atomic<bool> had_its_turn_{false};
    bool armed_ = false, done_ = false, recording_ = false, planned_ = false;
    int64_t begin_ = 0, end_ = 0, expected_ = 0;
    double begin_beats_ = 0;
    Grid grid_;
};

}  // namespace segue
