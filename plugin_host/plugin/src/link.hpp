// The wire to the engine: requests go out until they are answered. One thread, the session's. MIT.
#pragma once
#include <functional>
#include <netinet/in.h>
#include <string>

#include "osc.hpp"
#include "segue_protocol.h"

namespace segue {

struct Answer {
    enum Kind { ok, refused, none } kind = none;
    Message values;          // of an ok: what follows id and address
    std::string code, text;  // of a refusal
    bool good() const { return kind == ok; }
};

class Link {
public:
    using OnMessage = std::function<void(const Message&, bool from_engine)>;
    using Idle = std::function<bool()>;  // called while waiting; false gives up

    // `on_message` gets whatever is no answer: events of the engine, and messages of others on this machine.
    Link(OnMessage on_message, Idle idle);
    ~Link();
    bool open(std::string& why);  // on 127.0.0.1, one of 9620..9651 if one is free
    int port() const { return port_; }
    void engine_at(int port) { engine_port_ = port; }
    // Ask and wait, repeating the request; a slow one that tells of its progress is waited for longer.
    Answer ask(const std::string& address, std::vector<Value> values, double seconds);
    void tell(const std::string& address, std::vector<Value> values);  // without waiting for the answer
    void reply(const Message& message);                                // to whoever sent the last message
    void wait(double seconds);                                         // take in what comes
    uint64_t heard_ns() const { return heard_ns_; }

private:
    void send(const std::string& datagram);
    bool receive(int milliseconds);
    void take(const Message& message, bool from_engine);

    OnMessage on_message_;
    Idle idle_;
    int socket_ = -1, port_ = 0, engine_port_ = default_engine_port;
    int64_t next_id_ = 1, awaited_ = 0;
    bool settled_ = false, progressed_ = false;
    std::string awaited_address_;
    Answer answer_;
    uint64_t heard_ns_ = 0;
    sockaddr_in other_{};
};

}  // namespace segue
