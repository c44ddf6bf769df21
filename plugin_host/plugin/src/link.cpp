// Connection to the engine: see link.hpp. UDP on 127.0.0.1. MIT.
#include "link.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "words.hpp"

namespace segue {

namespace {

constexpr double first_repeat_seconds = 0.1, last_repeat_seconds = 2.0, progress_seconds = 30.0;

sockaddr_in local(int port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<uint16_t>(port));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

double seconds_now() { return static_cast<double>(monotonic_ns()) / 1e9; }

}  // namespace

Link::Link(OnMessage on_message, Idle idle) : on_message_(std::move(on_message)), idle_(std::move(idle)) {}

Link::~Link() {
    if (socket_ >= 0) close(socket_);
}

bool Link::open(std::string& why) {
    socket_ = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; socket_ >= 0 && i <= plugin_ports; ++i) {
        const int port = i < plugin_ports ? first_plugin_port + i : 0;
        sockaddr_in at = local(port);
        if (bind(socket_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) continue;
        socklen_t size = sizeof at;
        getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size);
        port_ = ntohs(at.sin_port);
        fcntl(socket_, F_SETFL, O_NONBLOCK);
        fcntl(socket_, F_SETFD, FD_CLOEXEC);
        return true;
    }
    why = std::string("no UDP port: ") + std::strerror(errno);
    return false;
}

void Link::send(const std::string& datagram) {
    const sockaddr_in at = local(engine_port_);
    // If nobody listens yet (connection refused), the request is repeated.
    (void)!sendto(socket_, datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&at), sizeof at);
}

void Link::tell(const std::string& address, std::vector<Value> values) {
    values.insert(values.begin(), Value(0));
    send(encode({address, std::move(values)}));
}

void Link::reply(const Message& message) {
    const std::string datagram = encode(message);
    const auto* to = reinterpret_cast<const sockaddr*>(&other_);
    (void)!sendto(socket_, datagram.data(), datagram.size(), 0, to, sizeof other_);
}

Answer Link::ask(const std::string& address, std::vector<Value> values, double seconds) {
    const int64_t id = next_id_;
    next_id_ = next_id_ % whole_max + 1;
    values.insert(values.begin(), Value(id));
    const std::string datagram = encode({address, std::move(values)});
    awaited_ = id;
    awaited_address_ = address;
    settled_ = progressed_ = false;
    answer_ = Answer{};
    double repeat = first_repeat_seconds, now = seconds_now(), deadline = now + seconds, again = now;
    while (!settled_ && now < deadline && idle_()) {
        if (now >= again) {
            send(datagram);
            again = now + repeat;
            repeat = std::min(repeat * 2, last_repeat_seconds);
        }
        receive(20);
        if (progressed_) deadline = seconds_now() + progress_seconds;
        progressed_ = false;
        now = seconds_now();
    }
    awaited_ = 0;
    return answer_;
}

void Link::wait(double seconds) {
    const double deadline = seconds_now() + seconds;
    do receive(static_cast<int>(std::max(0.0, deadline - seconds_now()) * 1000));
    while (seconds_now() < deadline && idle_());
}

bool Link::receive(int milliseconds) {
    pollfd waiting{socket_, POLLIN, 0};
    if (poll(&waiting, 1, milliseconds) <= 0) return false;
    uint8_t data[datagram_bytes_max + 4];
    for (int i = 0; i < 64; ++i) {
        sockaddr_in from{};
        socklen_t size = sizeof from;
        const ssize_t n = recvfrom(socket_, data, sizeof data, 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (n < 0) break;  // no more messages, or nobody received ours
        Message message;
        other_ = from;
        if (decode(data, static_cast<size_t>(n), message)) take(message, ntohs(from.sin_port) == engine_port_);
    }
    return true;
}

void Link::take(const Message& message, bool from_engine) {
    if (!from_engine) {
        on_message_(message, false);
        return;
    }
    heard_ns_ = monotonic_ns();
    const bool mine = awaited_ && message.whole(0) == awaited_ && message.text(1) == awaited_address_;
    if (message.address == address::ok) {
        if (!mine) return;
        answer_.kind = Answer::ok;
        answer_.values.values.assign(message.values.begin() + 2, message.values.end());
        settled_ = true;
    } else if (message.address == address::error) {
        if (!mine) return;
        answer_.kind = Answer::refused;
        answer_.code = message.text(2);
        answer_.text = message.text(3);
        settled_ = true;
    } else if (message.address == address::progress) {
        progressed_ = progressed_ || mine;
    } else {
        on_message_(message, true);
    }
}

}  // namespace segue
