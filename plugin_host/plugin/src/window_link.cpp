// The window's line to its plugin: see window_link.hpp. UDP on 127.0.0.1. MIT.
#include "window_link.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "segue_protocol.h"
#include "words.hpp"

namespace segue {

namespace {

constexpr uint64_t each_ns = 50000000u;

}  // namespace

WindowLink::WindowLink() {
    socket_ = socket(AF_INET, SOCK_DGRAM, 0);
    if (socket_ < 0) return;
    fcntl(socket_, F_SETFL, O_NONBLOCK);
    fcntl(socket_, F_SETFD, FD_CLOEXEC);
}

WindowLink::~WindowLink() {
    if (socket_ >= 0) close(socket_);
}

void WindowLink::send(const Message& message) {
    if (socket_ < 0 || port_ <= 0) return;
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port_));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string datagram = encode(message);
    (void)!sendto(socket_, datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

void WindowLink::set_prompt(const std::string& text) {
    sent_prompt_ = text;
    prompt_sent_ = true;
    send({address::plugin_prompt, {text}});
}

void WindowLink::start_engine() { send({address::plugin_start, {}}); }

bool WindowLink::poll() {
    const uint64_t now = monotonic_ns();
    if (now - asked_ns_ >= each_ns) {
        asked_ns_ = now;
        if (prompt_sent_) send({address::plugin_prompt, {sent_prompt_}});  // until it is confirmed
        send({address::plugin_view, {}});
    }
    bool changed = false;
    uint8_t data[datagram_bytes_max];
    for (;;) {
        const ssize_t n = socket_ < 0 ? -1 : recv(socket_, data, sizeof data, 0);
        if (n < 0) break;
        Message message;
        if (!decode(data, static_cast<size_t>(n), message) || message.address != address::plugin_ok) continue;
        take(message);
        changed = true;
    }
    return changed;
}

void WindowLink::take(const Message& message) {
    if (message.text(0) == address::plugin_prompt && message.text(1) == sent_prompt_.substr(0, text_max)) {
        prompt_sent_ = false;
        sent_prompt_.clear();
    }
    if (message.text(0) != address::plugin_view) return;
    view_.heard = true;
    size_t at = 1;
    for (std::string* text : {&view_.state, &view_.why, &view_.next, &view_.prompt}) *text = message.text(at++);
    for (double* number : {&view_.beats, &view_.beats_per_bar, &view_.tempo}) *number = message.number(at++);
    view_.playing = message.number(at++) > 0;
    for (double* number : {&view_.input_db, &view_.music_db}) *number = message.number(at++);
    for (std::string* text : {&view_.input, &view_.music, &view_.captured, &view_.in_force}) *text = message.text(at++);
    view_.failed = message.number(at) > 0;
}

}  // namespace segue
