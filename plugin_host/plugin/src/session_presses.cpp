// The presses of a jam: turned parameters, and messages of other programs on this machine. See session.hpp. MIT.
#include <algorithm>

#include "session.hpp"

namespace segue {

namespace {

constexpr int bars_most = 64;  // of a record

enum PressState { press_none, press_taken, press_cancelled, press_refused };

}  // namespace

// A press at a position of the host: the bar that it is for, on the host's bars.
Session::Pressed Session::press(const JamPress& press, int64_t position) {
    if (!jam_ || !jam_->plan) return {false, 0, 0, "there is no jam: choose one, turn Generate on and let the host play"};
    const JamMemory::Stretch& played = jam_->played;
    const int64_t first = jam_sample(0, 0);
    if (played.end < first) return {false, 0, 0, "the jam has not begun yet"};
    const auto bar_samples = static_cast<int64_t>(played.grid.samples_of(played.grid.beats_per_bar()));
    const int64_t most = std::min<int64_t>(bars_most, jam_->memory->capacity() / (4 * bar_samples));
    if (press.bars > most)
        return {false, 0, 0, std::to_string(press.bars) + " bars: at most " + std::to_string(most) + " are remembered"};
    JamMoment now = jam_moment();
    const double per_sample = played.grid.tempo_bpm / 60 / played.grid.sample_rate_hz;
    now.beats = std::max(0.0, static_cast<double>(played.end - first) * per_sample);
    const int64_t at = std::clamp(position + played.shift_samples, played.end - 2 * bar_samples, played.end);
    const JamReply reply = jam_->plan->press(press, std::max(0.0, static_cast<double>(at - first) * per_sample), now);
    const int64_t bar = host_bar(reply.bar);
    const auto beats = static_cast<double>(played.grid.bar_start_beats(bar));
    return {reply.accepted, bar, beats, reply.said(bar + 1)};
}

void Session::show_press(const Pressed& pressed) {
    const bool cancelled = pressed.accepted && pressed.text.compare(0, 9, "cancelled") == 0;
    show(p_press_answer, !pressed.accepted ? press_refused : cancelled ? press_cancelled : press_taken);
    show(p_press_bar, pressed.accepted ? static_cast<double>(pressed.bar + 1) : 0);
}

// Presses by parameters, in their order. A parameter goes back by itself: the host shows a button that is up again.
void Session::take_presses() {
    PressQueue::Entry entry;
    while (shared_.presses.take(entry)) {
        show_press(press({static_cast<JamVerb>(entry.verb)}, entry.position));
        const int parameter = p_play_stop + entry.verb;
        values_.set(parameter, 0);
        if (turned_) turned_(parameter, 0);
    }
}

// verb accepted at_bar at_beat text
void Session::pressed_by_other(const Message& message) {
    advance_jam();  // beats that have passed come first
    const int bars = message.values.size() > 1 ? static_cast<int>(message.whole(1)) : 0;
    for (int verb = 0; verb < n_jam_verbs; ++verb) {
        if (message.text(0) != jam_verbs[verb]) continue;
        if (bars < 0 || bars > bars_most) {
            reply_error(message, error_code::out_of_range, "bars is " + std::to_string(bars) + ", must be 0 to 64");
            return;
        }
        const Pressed pressed = press({static_cast<JamVerb>(verb), verb == verb_record ? bars : 0}, shared_.position);
        show_press(pressed);
        reply_ok(message, {jam_verbs[verb], pressed.accepted ? 1 : 0, pressed.bar, pressed.beats, pressed.text});
        return;
    }
    std::string known;
    for (const char* verb : jam_verbs) known += (known.empty() ? "" : ", ") + std::string(verb);
    reply_error(message, error_code::out_of_range,
                "verb is '" + message.text(0).substr(0, 32) + "', must be one of " + known);
}

}  // namespace segue
