// One lane of the engine, kept open by a thread: plugin_host/client/lane_session.py in C++. MIT.
//
//   no engine --hello--> connected --lane/open, ring--> open --Generate--> preparing --> playing
//      ^                                                  |
//      +------------- silent for half a second, or its memory is gone (tried again each second)
#pragma once
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "capture.hpp"
#include "engine_start.hpp"
#include "jam_state.hpp"
#include "saved_capture.hpp"
#include "link.hpp"
#include "params.hpp"
#include "processor.hpp"
#include "sound_trace.hpp"

namespace segue {

// State saved with the host's project, besides the parameters, by these keys.
// Older songs have "captured": one capture, of any role.
inline constexpr const char* state_keys[] = {"prompt", "captured", "captured_melody", "captured_style",
                                             "captured_continue", "armed", "engine_port", "lane", "take", "start",
                                             "takes"};
constexpr int n_state_keys = sizeof state_keys / sizeof state_keys[0];

struct Saved {
    std::string prompt, takes;  // takes: the four that the window keeps
    int engine_port = default_engine_port;
    int lane = -1;
    int64_t seed = -1;                     // of the present take
    double start_beats = -1.0;             // on which it began
    std::array<SavedCapture, n_roles> captured{};  // its captures, by role
    bool any_captured() const { return captured[0].text || captured[1].text || captured[2].text; }
};

// Presses that the audio thread has seen in the parameters, for the session.
class PressQueue {
public:
    struct Entry {
        int verb = 0;
        int64_t position = 0;
    };
    void put(const Entry& entry) {  // [audio]
        const uint32_t put = put_.load(std::memory_order_relaxed);
        if (put - taken_.load(std::memory_order_acquire) >= size) return;
        entries_[put % size] = entry;
        put_.store(put + 1, std::memory_order_release);
    }
    bool take(Entry& entry) {  // [session]
        const uint32_t taken = taken_.load(std::memory_order_relaxed);
        if (taken == put_.load(std::memory_order_acquire)) return false;
        entry = entries_[taken % size];
        taken_.store(taken + 1, std::memory_order_release);
        return true;
    }

private:
    static constexpr uint32_t size = 16;
    Entry entries_[size];
    std::atomic<uint32_t> put_{0}, taken_{0};
};

// Values shared by the audio thread and the session.
struct Shared {
    std::atomic<int64_t> position{0}, blocks{0};
    std::atomic<uint32_t> seek_id{0};
    std::atomic<bool> playing{false}, timed{false};  // timed: the host has reported a time
    std::atomic<bool> own_time{false};               // the plugin's own clock runs
    std::atomic<int64_t> offs{0};                    // how often Generate was turned off
    std::atomic<double> tempo{120}, beats{0}, beats_per_bar{4};
    // Session to audio: the timeline that was handled, and whether a stream is due on it.
    std::atomic<uint32_t> handled_seek_id{~0u};
    std::atomic<uint32_t> engines{0};  // that it was connected to: a host that gave up waiting waits for the next one
    std::atomic<bool> expecting{false}, handled_on{false};  // handled_on: with Generate on
    std::atomic<int64_t> handled_offs{0};
    PressQueue presses;
    // Of a jam, as positions in its memory: up to where it was looked at, and the next beat at which it will be; the
    // memory, and what is in use.
    std::atomic<int64_t> jam_seen{INT64_MIN}, jam_next{INT64_MIN};
    std::atomic<uint64_t> jam_stretch{0};  // of the memory, in which these positions lie
    std::atomic<JamMemory*> memory{nullptr}, memory_held{nullptr};
    SoundTrace trace;  // what was heard lately, for the window
};

class Session {
public:
    Session(Values& values, Shared& shared, Processor& processor, Recorder& recorder, int number);
    ~Session();
    void start();  // [main]
    void stop();   // the audio thread must have stopped  [main]
    Saved saved() const;
    std::string state(const std::string& key) const;  // as the host saves it; empty for a key that there is not  [any]
    void restore(const std::string& key, const std::string& value);  // [any]
    void restore_all(const Saved& saved);                            // [main]
    // Called when a message has set a parameter: notifies the host; false if that is not notified.  [main]
    void on_turned(std::function<bool(int parameter, float value)> turned) { turned_ = std::move(turned); }

private:
    void run();
    bool idle();
    void turn();
    // Connection to the engine: session.cpp.
    void reach();
    void open_lane(const std::string& ring);
    bool lost();
    void lose();
    void retire(std::unique_ptr<RingReader> reader, std::unique_ptr<Capture> capture,
                std::unique_ptr<JamMemory> memory = nullptr);
    void free_retired(bool all);
    // Without an engine: session_start.cpp.
    void start_engine();
    void not_ready(const Answer& refused);
    void prepare();
    void restore_captured(const std::string& key, const std::string& value);
    // Sending to it: session_send.cpp.
    void follow_values();
    void follow_generate();
    void follow_host();
    void opened_or_off();
    bool whole_again() const;
    bool settled() const;
    void tell_preset();
    bool set_value(const char* name, double value);
    bool play(double at_beats);
    void settle();
    // Captures: session_captures.cpp.
    void follow_capture();
    void hand_over_captures();
    void hand_over_capture();
    void keep_capture();
    void follow_clear();
    void clear_captured(unsigned mask);
    bool capture_waits() const { return capture_ && !delivered_ && capture_->state() == capture_whole; }
    // Playing together: session_jam.cpp.
    void follow_jam();
    void advance_jam();
    void follow_cycle(const JamMemory::Stretch& played);
    void begin_jam();
    void make_jam_memory();
    void restart_jam(const JamMemory::Stretch& played);
    void end_jam();
    bool player_plays(int64_t end);
    void learn_leak();
    JamMoment jam_moment();
    double jam_beats(int64_t bar, double beat) const;
    int64_t jam_sample(int64_t bar, double beat) const;
    int64_t jam_offset(double beats) const;
    int64_t jam_bar_of(double beats, const JamOrder& order, bool late) const;
    int64_t host_bar(int64_t bar) const;
    void show_jam(int64_t position);
    // Its orders: session_orders.cpp.
    void lay(const JamOrder& order);
    void carry_out(const JamOrder& order, const JamMoment& now);
    int64_t answer(const JamOrder& order, const std::string& at);
    int64_t relisten(const JamOrder& order, const std::string& at);
    void measure_relistening();
    std::unique_ptr<Capture> jam_capture(const JamOrder& order);
    bool hear(const JamOrder& order, int64_t begin, int64_t end, float* out);
    void keep_loop(double begin_beats, const float* audio, size_t size);
    Answer hand_over(int role, const Capture& capture, const std::string& at);
    unsigned jam_reference() const;
    int64_t jam_seed();
    // Presses: session_presses.cpp.
    struct Pressed {
        bool accepted = false;
        int64_t bar = 0;  // the host's, from 0
        double beats = 0;
        std::string text;
    };
    Pressed press(const JamPress& press, int64_t position);
    void show_press(const Pressed& pressed);
    void take_presses();
    void pressed_by_other(const Message& message);
    // Shown values and answers: session_show.cpp.
    int engine_state();
    void show_state();
    void refuse(const Answer& answer);
    void look();
    void on_message(const Message& message, bool from_engine);
    void lane_is(const std::string& state);
    void other_said(const Message& message);
    void turned_by_other(const Message& message);
    void cleared_by_other(const Message& message);
    void say_status();
    std::string why_text(int state) const;
    // For the window: session_view.cpp.
    void picture(const Capture& capture);
    std::string next_text() const;
    void say_view();
    void reply_ok(const Message& message, std::vector<Value> values);
    void reply_error(const Message& message, const char* code, const std::string& text);
    void show(int parameter, double value) { values_.set(parameter, static_cast<float>(value)); }

    Values& values_;
    Shared& shared_;
    Processor& processor_;
    Recorder& recorder_;
    const int number_;
    EngineStart engine_start_;
    Link link_;
    mutable std::mutex texts_;
    Saved saved_;
    std::function<bool(int, float)> turned_;
    std::thread thread_;
    std::atomic<bool> stopping_{false};

    std::unique_ptr<RingReader> reader_;
    std::unique_ptr<Capture> capture_;  // what is recorded to
    struct Retired {
        std::unique_ptr<RingReader> reader;
        std::unique_ptr<Capture> capture;
        std::unique_ptr<JamMemory> memory;
    };
    std::vector<Retired> retired_;
    std::unique_ptr<SessionJam> jam_;
    int role_ = -1;  // of the capture, once it was sent
    int protocol_ = 0;  // of the engine
    int captures_ = 0, lane_ = -1, take_ = 0, preset_ = 0, port_ = 0;
    std::atomic<uint64_t> restored_ns_{0};  // when the host last restored something
    std::atomic<int64_t> restored_blocks_{0};  // blocks before that, which had the older parameters
    std::atomic<unsigned> to_deliver_{0};   // bit of a role: its capture is to be sent, or cleared
    std::atomic<bool> reopened_{false};     // the host's project has a take
    int refusals_ = 0;                      // of a capture
    int cleared_ = -1;                      // the last value of Clear
    bool resuming_ = false;  // the engine was lost while it played, and does not play again yet
    int64_t offs_ = 0;                      // the last value of `Shared::offs`
    bool lost_ = false, delivered_ = false, playing_ = false, ended_ = false, generating_ = false, fresh_ = true;
    double end_beats_ = -1;  // of the stream; -1: endless
    std::string sent_prompt_;
    float sent_[p_count];
    uint64_t retry_ns_ = 0, ping_ns_ = 0, check_ns_ = 0, refused_ns_ = 0, capture_ns_ = 0, look_ns_ = 0;
    int64_t blocks_at_open_ = 0;
    bool wanted_on_ = false;  // Generate, when no engine answered last
    int unreached_ = engine_absent, refusal_ = 0;  // why there is no lane; why a request was refused, 0: none was
    std::string why_;                              // of the refusal: the engine's text
    bool sounding_ = false, asking_ = false;       // of the stream; a play waits for its answer
    int silent_looks_ = 0;                         // consecutive answers that it does not play
    std::string picture_;                          // of the newest capture
    unsigned in_force_ = 0;                        // bit of a role: the engine has it
};

}  // namespace segue
