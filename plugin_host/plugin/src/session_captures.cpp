// Captured music: recorded, sent to the engine, saved with the song by role, and cleared. See session.hpp. MIT.
#include <cmath>

#include "session.hpp"

namespace segue {

namespace {

constexpr double ask_seconds = 5.0, slow_seconds = 30.0;
constexpr uint64_t second_ns = 1000000000u;
constexpr int refusals_max = 3;
constexpr int64_t longest_seconds = 300;
constexpr int first_capture_number = 1000;  // lower numbers are lanes

}  // namespace

void Session::follow_capture() {
    hand_over_captures();
    const int64_t wanted = recorder_.wanted_samples();
    if (capture_waits()) hand_over_capture();
    const bool too_long = wanted > longest_seconds * processor_.sample_rate_hz() ||
                          wanted > saved_values_max / processor_.channels();
    if (wanted <= 0 || too_long) return;
    if (capture_ && capture_->capacity() >= wanted) {
        if (delivered_ && capture_->state() == capture_whole) {
            capture_->clear();
            delivered_ = false;
            role_ = -1;
        }
        return;
    }
    const uint64_t now = monotonic_ns();
    if (now < capture_ns_) return;
    capture_ns_ = now + second_ns;
    std::string why;
    const int number = first_capture_number + number_ * 100 + captures_++ % 100;
    auto made = Capture::create(number, processor_.sample_rate_hz(), processor_.channels(), wanted + wanted / 8, why);
    if (!made) return;
    recorder_.offer(made.get());
    if (capture_) retire(nullptr, std::move(capture_));
    capture_ = std::move(made);
    delivered_ = false;
    role_ = -1;
}

// Send the song's captures to the engine, role by role, and clear roles without one.
void Session::hand_over_captures() {
    if (!to_deliver_ || monotonic_ns() < capture_ns_) return;
    for (int role = 0; role < n_roles; ++role) {
        if (!(to_deliver_ & 1u << role)) continue;
        const SavedCapture stored = saved().captured[role];
        std::string why;
        std::unique_ptr<Capture> made;
        if (stored.text) made = stored.capture(first_capture_number + number_ * 100 + captures_++ % 100, why);
        if (made) picture(*made);
        const Answer answer =
            made ? link_.ask(address::region_capture, {lane_, roles[role], made->name()}, slow_seconds)
                 : link_.ask(address::region_clear, {lane_, roles[role]}, ask_seconds);
        const bool refused = answer.kind == Answer::refused && ++refusals_ < refusals_max;  // it may only be busy
        if (answer.kind == Answer::none || refused) {
            capture_ns_ = monotonic_ns() + second_ns;
            return;
        }
        to_deliver_ &= ~(1u << role);
        refusals_ = 0;
        if (answer.good() && made) show(p_captured_bars, answer.values.number(3));
        if (!answer.good()) refuse(answer);
    }
    if (!saved().any_captured()) show(p_captured_bars, 0);
}

void Session::hand_over_capture() {
    if (monotonic_ns() < capture_ns_) return;
    const bool fresh = role_ < 0;
    const int role = fresh ? values_.whole(p_mode) : role_;
    if (fresh) round_to_24_bits(*capture_);
    const Answer answer = link_.ask(address::region_capture, {lane_, roles[role], capture_->name()}, slow_seconds);
    const bool refused = answer.kind == Answer::refused && ++refusals_ < refusals_max;  // it may only be busy
    if (answer.kind == Answer::none || refused) {
        capture_ns_ = monotonic_ns() + second_ns;
        return;
    }
    delivered_ = true;
    refusals_ = 0;
    role_ = role;
    if (answer.good()) {
        keep_capture();
        refusal_ = 0;
        show(p_captured_bars, answer.values.number(3));
    } else {
        refuse(answer);
    }
}

// From now on it is saved with the host's project.
void Session::keep_capture() {
    SavedCapture stored;
    stored.role = role_;
    stored.sample_rate_hz = capture_->sample_rate_hz();
    stored.channels = capture_->channels();
    stored.text = SavedCapture::write(*capture_, stored.role);
    picture(*capture_);
    std::lock_guard<std::mutex> guard(texts_);
    saved_.captured[role_] = stored;
}

// Clear the captures that Clear is turned to; its value in an opened song has no effect.
void Session::follow_clear() {
    if (!settled() || shared_.blocks <= restored_blocks_) return;
    const int wanted = values_.whole(p_clear), before = cleared_;
    cleared_ = wanted;
    if (before >= 0 && wanted > 0 && wanted != before) clear_captured(wanted > n_roles ? 7u : 1u << (wanted - 1));
}

void Session::clear_captured(unsigned mask) {
    {
        std::lock_guard<std::mutex> guard(texts_);
        for (int role = 0; role < n_roles; ++role)
            if (mask & 1u << role) saved_.captured[role] = SavedCapture{};
    }
    to_deliver_ |= mask;
    refusal_ = refusals_ = 0;
}

}  // namespace segue
