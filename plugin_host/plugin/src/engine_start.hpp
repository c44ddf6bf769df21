// Starts the engine when none answers: one for all plugins and DAWs of the user. MIT.
//
//   absent --no answer for a while--> starting --it answers--> (the session goes on)
//                                        |--it ends--> failed --`press`--> starting
//
// A file is locked as long as an engine that a plugin started lives; whoever gets the lock starts the next one.
// Nothing here waits: it is asked again and again while no engine answers.  [session]
#pragma once
#include <cstdint>
#include <string>

#include "engine_order.hpp"

namespace segue {

class EngineStart {
public:
    EngineStart();
    ~EngineStart();
    void none_answers(int port);       // no engine answers at this port
    void answered();                   // one does
    void ends_on_request() { on_request_ = true; }  // the engine said so
    void press(const std::string& model);           // the user wants it to start, "": with the model of before
    bool starting() const;
    bool failed() const;
    int state() const { return state_; }            // an EngineState
    const std::string& why() const { return why_; }  // in words; or empty

private:
    enum Lock { held, ours, none };
    Lock lock(int port);
    void unlock();
    void start(int port);
    void look_at_launcher();
    bool ended(int port);
    void fail(int state, const std::string& why);
    std::string file(int port, const char* kind) const;

    EngineOrder order_;
    int state_;
    std::string why_, model_;
    int lock_ = -1, launcher_ = -1;
    bool was_there_ = false, on_request_ = false, launched_ = false, pressed_ = false;
    uint64_t absent_ns_ = 0, started_ns_ = 0;
};

}  // namespace segue
