// Connection to the engine: requests are repeated until they are answered. Used by the session's thread only. MIT.
#pragma once
#include <functional>
#include <netinet/in.h>
#include <string>

#include "osc.hpp"
#include "segue_protocol.h"

namespace segue {

struct Answer {
    enum Kind { ok, refused, none } kind = none;
    Message values;          // of an ok: the values after id and address
    std::string code, text;  // of a refusal
    bool good() const { return kind == ok; }
};

class Link {
public:
    using OnMessage = std::function<void(const Message&, bool from_engine)>;
    using Idle = std::function<bool()>;  // called while waiting; false gives up

    // `on_message` gets all messages that are no answers: events of the engine, and messages of other programs.
    Link(OnMessage on_message, Idle idle);
    ~Link();
    bool open(std::string& why);  // on 127.0.0.1, one of 9620..9651 if free
    int port() const { return port_; }
    void engine_at(int port) { engine_port_ = port; }
    // Send a request repeatedly until it is answered; waits longer for a slow one that reports progress.
    Answer ask(const std::string& address, std::vector<Value> values, double seconds);
    void tell(const std::string& address, std::vector<Value> values);  // send without waiting for an answer
    void reply(const Message& message);                                // to the sender of the last message
    void wait(double seconds);                                         // handle messages meanwhile
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
