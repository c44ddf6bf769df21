// The window's line to its plugin: the messages that any program may send to the plugin's control port. MIT.
//
// The window is in another thread, in some hosts in another process: it has nothing else of the plugin but parameters.
#pragma once
#include <cstdint>
#include <string>

#include "osc.hpp"

namespace segue {

// The answer to "view", see bridge/control/plugin_rows.py.
struct View {
    bool heard = false;  // an answer has come
    std::string state, why, next, prompt, input, music, captured, in_force;
    double beats = 0, beats_per_bar = 4, tempo = 120, input_db = -100, music_db = -100;
    bool playing = false, failed = false;
};

class WindowLink {
public:
    WindowLink();
    ~WindowLink();
    void at(int port) { port_ = port; }
    bool poll();      // ask again when it is time, read answers; whether the view has changed
    const View& view() const { return view_; }
    void set_prompt(const std::string& text);
    void start_engine();
    bool prompt_on_its_way() const { return !sent_prompt_.empty() || prompt_sent_; }

private:
    void send(const Message& message);
    void take(const Message& message);

    View view_;
    int socket_ = -1, port_ = 0;
    uint64_t asked_ns_ = 0;
    std::string sent_prompt_;
    bool prompt_sent_ = false;
};

}  // namespace segue
