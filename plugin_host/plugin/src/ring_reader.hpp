// The host's side of a ring: bridge/ring/reader.py in C++, for the audio thread of a plugin. MIT.
#pragma once
#include <memory>
#include <string>

#include "grid.hpp"
#include "segment.hpp"
#include "segue_ring.h"
#include "words.hpp"

namespace segue {

struct RingCounters {
    uint64_t blocks = 0, late_blocks = 0, stale_blocks = 0, broken_blocks = 0;
};

struct Plan {
    uint32_t plan_revision = 0;
    bool sounding = false;
    int64_t from_samples = 0, start_samples = 0, end_samples = SEGUE_ENDLESS;
    uint32_t seek_id = 0;
};

// The lane's gain, and its next changes; unset ones are at infinity.
struct Fader {
    struct Change {
        int64_t position = SEGUE_ENDLESS;
        double gain = 1.0;
    };
    bool known = false;
    double gain = 1.0;
    Change changes[3];
    uint32_t seek_id = 0;
};

struct Stretch {
    int begin = 0, end = 0;
};

class RingReader {
public:
    // Map a lane's ring and become its owning reader; null and `why` if it does not fit.  [session]
    static std::unique_ptr<RingReader> attach(const std::string& name, std::string& why);
    ~RingReader();

    // Copy the audio for [position, position + n) into out[n * channels]; [begin, end) is audio, the first stretch
    // without a gap; after a gap read again from `end`. Never waits.  [audio]
    Stretch read(int64_t position, float* out, int n, uint32_t seek_id);
    int64_t ahead(int64_t position) const;  // [audio]
    const Plan& look();                     // reads the fader too  [audio]
    bool planned() const { return plan_sequence_ != 0; }
    const Plan& plan() const { return plan_; }
    const Fader& fader() const { return fader_; }  // as `look` saw it
    // Publish the host's position, sign of life and counters for the engine.  [audio]
    void publish(const Transport& transport, uint32_t seek_id, int block_samples, uint64_t underruns,
                 uint64_t missed_samples);

    int sample_rate_hz() const { return static_cast<int>(rate_); }
    int channels() const { return static_cast<int>(channels_); }
    int engine_pid() const { return static_cast<int>(engine_pid_); }
    bool engine_alive() const;  // [any]
    bool engine_ended() const;  // its process was seen and has ended  [session]
    bool is_ring(const std::string& name) const;  // names are reused, segments are not  [session]
    std::string fault() const { return segment_->fault(); }
    const std::string& name() const { return segment_->name(); }
    bool cut() const { return segment_->cut(); }
    RingCounters* counters = &own_;
    float loudest = 8.0f;  // limit of a sample

private:
    struct Slot {
        int64_t start;
        uint32_t plan_revision, seek_id;
        int n;
    };
    explicit RingReader(std::unique_ptr<Segment> segment);
    segue_header* header() const { return reinterpret_cast<segue_header*>(segment_->data()); }
    bool slot(uint64_t number, Slot& found) const;
    const float* audio(uint64_t number) const;
    int usable(const Slot& found, uint32_t seek_id);
    bool out_of_order(const Slot& found, uint32_t seek_id, uint64_t published) const;
    bool copy(const float* block, float* out, size_t floats) const;
    uint64_t written();
    void look_at_fader();
    void give_back(uint64_t number);

    std::unique_ptr<Segment> segment_;
    RingCounters own_;
    Plan plan_;
    Fader fader_;
    uint32_t plan_sequence_ = 0, fader_sequence_ = 0;
    uint64_t next_ = 0;
    bool begun_ = false;  // part of the block `next_` has been used
    // Copied at attach: a header that changes later cannot move our pointers.
    uint32_t rate_, channels_, block_samples_, capacity_, payload_offset_, engine_pid_;
    uint64_t created_ns_;
    bool engine_seen_;  // false for an engine in another container
};

}  // namespace segue
