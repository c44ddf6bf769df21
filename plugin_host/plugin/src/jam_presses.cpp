// The presses of a jam, as plugin_host/jam/modes has them: see jam_plan.hpp. MIT.
#include <algorithm>
#include <cmath>

#include "jam_plan.hpp"

namespace segue {

namespace {

const char* const words[] = {"play or stop", "take over", "again", "keep", "hold", "record", "undo", "cancel"};
const char* const mode_names[] = {"off", "accompany", "trade", "continue", "loop"};

JamReply reply(int64_t bar, const JamMoment& now, std::string text, bool accepted = true) {
    return {accepted, bar, std::move(text), now.bar_beats(bar) > now.beats};
}

}  // namespace

bool JamPlan::pending() const {
    return std::any_of(changes_.begin(), changes_.end(), [](const Change& each) { return each.press >= 0; });
}

JamReply JamPlan::press(const JamPress& press, double at_beats, const JamMoment& now) {
    const bool cancels = press.verb == verb_cancel;
    for (size_t i = 0; i < changes_.size(); ++i)
        if (changes_[i].press >= 0 && (cancels || changes_[i].press == press.verb)) return take_back(i, now);
    if (cancels) return reply(now.bar(), now, "nothing is pending", false);
    const auto nearest = static_cast<int64_t>(std::floor(at_beats / now.beats_per_bar + 0.5));
    Outcome outcome = pressed(press, nearest, now);
    if (!outcome.change) return reply(now.bar(), now, outcome.text, outcome.accepted);
    const int64_t bar = outcome.change->bar;
    outcome.change->press = press.verb;
    const std::string text = outcome.change->text.empty() ? words[press.verb] : outcome.change->text;
    put(std::move(*outcome.change));
    return reply(bar, now, text);
}

JamReply JamPlan::take_back(size_t number, const JamMoment& now) {
    const Change change = changes_[number];
    const std::string word = words[change.press];
    if (change.ordered)
        return reply(change.bar, now, "too late to cancel: " + word + " is committed", false);
    changes_.erase(changes_.begin() + static_cast<std::ptrdiff_t>(number));
    follow(since_);
    return reply(change.bar, now, "cancelled: " + word);
}

JamPlan::Outcome JamPlan::pressed(const JamPress& press, int64_t bar, const JamMoment& now) {
    switch (press.verb) {
        case verb_play_stop: return press_play_stop(bar, now);
        case verb_take_over: return press_take_over(bar, now);
        case verb_again: return press_again(bar, now);
        case verb_keep: return press_keep(bar);
        case verb_hold: return mode_ == jam_trade || mode_ == jam_continue ? hold_turn(now) : press_hold(bar, now);
        case verb_record: return press_record(press.bars, bar, now);
        case verb_undo: return press_undo(bar, now);
        case verb_cancel: break;
    }
    return refused("");
}

// Bars once more from a bar on, `repeats` of them; with 0 until they are released.
JamPlan::Change JamPlan::repeated(int64_t at, JamPhase to, Music music, int repeats, const char* text) const {
    Change change{at, to, repeat, true, text};
    change.music = music;
    change.repeats = repeats;
    return change;
}

JamPlan::Outcome JamPlan::press_play_stop(int64_t bar, const JamMoment& now) {
    if (phase_ == phase_stopped) {
        if (mode_ != jam_loop) return {Change{bar, phase_listening, nothing, true, "listening"}, ""};
        if (loops_.empty()) return {Change{bar, phase_listening, nothing, true, "recording"}, ""};
        const Music loop = loops_.back();
        return {repeated(std::max(bar, now.reachable(0)), phase_both, loop, loop.bars, "play"), ""};
    }
    const bool soon = std::any_of(changes_.begin(), changes_.end(),
                                  [](const Change& each) { return each.ordered && sounds(each.to); });
    return {Change{bar, phase_stopped, sounds(phase_) || soon ? stop : nothing, true, "stop"}, ""};
}

JamPlan::Outcome JamPlan::press_take_over(int64_t bar, const JamMoment& now) {
    if (mode_ == jam_loop) return refused("a loop has no turns: keep, again, hold, record or undo");
    if (phase_ == phase_playing) return {Change{bar, phase_listening, stop, true, "your turn"}, ""};
    const int64_t at = std::max(bar, now.reachable(now.lead_beats));
    return {Change{at, phase_playing, answer, false, "Segue takes over"}, ""};
}

// Segue's last music once more, after the turn that sounds; of a loop the pass that sounds.
JamPlan::Outcome JamPlan::press_again(int64_t bar, const JamMoment& now) {
    if (mode_ == jam_loop) {
        if (phase_ != phase_both) return refused("there is no pass yet to hear again");
        return {repeated(since_ + bars_, phase_both, {since_, true, bars_}, bars_, "again"), ""};
    }
    std::optional<Music> music = last_;
    if (sounds_from_) {
        const int64_t first = std::max(*sounds_from_, now.bar() - turn_bars() + 1), ends = change_bar();
        const int64_t end = ends >= 0 && usual() == phase_playing ? ends : now.bar() + 1;
        music = Music{first, true, static_cast<int>(end - first)};
    }
    if (!music) return refused("Segue has played nothing that it could repeat");
    const int64_t at = sounds(phase_) ? std::max(bar, music->first + music->bars) : bar;
    return {repeated(at, usual(), *music, music->bars, "again"), ""};
}

JamPlan::Outcome JamPlan::press_keep(int64_t bar) {
    if (mode_ == jam_loop) {
        if (phase_ != phase_both) return refused("there is no pass yet to keep");
        const int64_t before = since_ - bars_;
        const bool late = bar <= since_ && sounds_from_ && before >= *sounds_from_;
        // A late press means the pass before.
        Change change = repeated(since_ + bars_, phase_both, {late ? before : since_, true, bars_}, bars_, "kept");
        change.then = kept;
        return {change, ""};
    }
    if (mode_ != jam_accompany) return refused(std::string("in ") + mode_names[mode_] + " there is nothing to keep");
    if (kept_) {
        kept_.reset();
        return done("listening again");
    }
    if (music_for_.empty()) return refused("nothing was heard yet");
    kept_ = music_for_.back();
    return done("it stays with what it has heard");
}

// The last bars go round until it is pressed again.
JamPlan::Outcome JamPlan::press_hold(int64_t bar, const JamMoment&) {
    if (phase_ == phase_held) return {Change{bar, usual(), release, true, "on from here"}, ""};
    if (!sounds_from_ || !sounds(phase_)) return refused("Segue does not play: there is nothing to hold");
    const int64_t end = std::max(bar, *sounds_from_ + 1);
    const int64_t first = std::max(*sounds_from_, end - turn_bars());
    return {repeated(end, phase_held, {first, true, static_cast<int>(end - first)}, 0, "hold"), ""};
}

// The turn stays with whoever has it, until it is pressed again.
JamPlan::Outcome JamPlan::hold_turn(const JamMoment& now) {
    if (mode_ == jam_trade && phase_ == phase_stopped) return refused("nobody has the turn: press play first");
    turn_held_ = !turn_held_;
    drop_automatic();
    if (mode_ == jam_trade) {
        const bool late = turn_held_ || sounds(phase_);
        const int64_t since = late ? since_ : std::max(since_, now.reachable(now.lead_beats) - bars_);
        if (auto change = following(since)) put(std::move(*change));
    }
    if (!turn_held_) return done("turns change again");
    return done(std::string("the turn stays ") + (phase_ == phase_listening ? "yours" : "Segue's"));
}

JamPlan::Outcome JamPlan::press_record(int bars, int64_t bar, const JamMoment& now) {
    const int64_t first = std::max<int64_t>(0, bar);
    if (mode_ == jam_accompany) {
        const int count = bars > 0 ? bars : bars_;
        kept_.reset();
        Change change{std::max(first + count, now.reachable(now.lead_beats)), phase_both, recorded, false,
                      "it follows " + std::to_string(count) + " bars of yours"};
        change.music = {first, false, count};
        return {change, ""};
    }
    if (bars > 0) bars_ = bars;
    const Build build = sounds(phase_) ? stop : nothing;
    return {Change{first, phase_listening, build, true, "your " + std::to_string(turn_bars()) + " bars"}, ""};
}

JamPlan::Outcome JamPlan::press_undo(int64_t bar, const JamMoment& now) {
    if (mode_ == jam_accompany) {
        if (music_for_.size() < 2 || phase_ != phase_both) return refused("there is nothing to undo");
        music_for_.pop_back();
        kept_ = music_for_.back();
        Change change{std::max(bar, now.reachable(now.lead_beats)), phase_both, back, false,
                      "back to what it heard before"};
        change.heard = *kept_;
        return {change, ""};
    }
    if (mode_ != jam_loop) return refused(std::string("in ") + mode_names[mode_] + " there is nothing to undo");
    if (!sounds(phase_) || loops_.size() < 2) return refused("there is no loop before this one");
    loops_.pop_back();
    const Music loop = loops_.back();
    bars_ = loop.bars;
    return {repeated(std::max(bar, now.reachable(0)), phase_both, loop, loop.bars, "the loop before"), ""};
}

}  // namespace segue
