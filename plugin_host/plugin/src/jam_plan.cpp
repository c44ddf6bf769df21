// The plan of a jam: see jam_plan.hpp. MIT.
#include "jam_plan.hpp"

#include <algorithm>
#include <cmath>

namespace segue {

namespace {

constexpr int quick_beats = 1;   // before a change that needs no new music of the model
constexpr int context_bars = 4;  // of the music before the player's turn that an answer also goes on from
constexpr int window_bars = 4;   // listened to at least, once there are so many
constexpr int lead_bars = 4;     // that Segue leads an accompaniment after `take_over`
constexpr size_t heard_most = 16;
constexpr double unheard_seconds = 1.0;  // of music that the engine makes up before a bar line

}  // namespace

int64_t JamMoment::bar() const { return static_cast<int64_t>(std::floor(beats / beats_per_bar)); }

int64_t JamMoment::reachable(int lead) const {
    return static_cast<int64_t>(std::ceil((beats + lead) / beats_per_bar));
}

int JamPlan::usual_bars(JamMode mode) { return mode == jam_accompany ? 2 : mode == jam_continue ? 0 : 4; }

JamPlan::JamPlan(JamMode mode, int bars) : mode_(mode), bars_(bars > 0 ? bars : usual_bars(mode)) { follow(0); }

int JamPlan::turn_bars() const { return mode_ == jam_continue && bars_ == 0 ? 4 : std::max(bars_, 1); }

// A change replaces those at its bar or later, but for presses.
void JamPlan::put(Change change) {
    const bool by_itself = change.press < 0;
    changes_.erase(std::remove_if(changes_.begin(), changes_.end(), [&](const Change& each) {
        return each.bar >= change.bar && !(each.press >= 0 && by_itself);
    }), changes_.end());
    const auto place = std::upper_bound(changes_.begin(), changes_.end(), change.bar,
                                        [](int64_t bar, const Change& each) { return bar < each.bar; });
    changes_.insert(place, std::move(change));
}

// Take out what comes by itself and is not ordered.
void JamPlan::drop_automatic() {
    changes_.erase(std::remove_if(changes_.begin(), changes_.end(), [](const Change& each) {
        return each.press < 0 && !each.ordered;
    }), changes_.end());
}

std::vector<JamOrder> JamPlan::tick(const JamMoment& now) {
    std::vector<JamOrder> orders;
    while (!changes_.empty() && now.bar_beats(changes_.front().bar) <= now.beats) {
        const Change change = changes_.front();
        changes_.erase(changes_.begin());
        if (!change.ordered) build(change, now, orders);
        enter(change);
    }
    listen(now, orders);
    for (Change& change : changes_) {
        const int lead = change.quick ? quick_beats : now.lead_beats;
        if (change.ordered || now.beats < now.bar_beats(change.bar) - lead) continue;
        build(change, now, orders);
        change.ordered = true;
    }
    return orders;
}

void JamPlan::enter(const Change& change) {
    phase_before_ = phase_;
    since_before_ = since_;
    entered_ = change;
    changes_.erase(std::remove_if(changes_.begin(), changes_.end(), [](const Change& each) { return each.press < 0; }),
                   changes_.end());
    phase_ = change.to;
    since_ = change.bar;
    if (change.then == passed) plain_ = false;
    if (change.then == kept) loops_.push_back({change.music.first, true, bars_});
    follow(since_);
}

// What follows by itself on the phase that begins at a bar; where Segue's music lies is noted, for `again` and `hold`.
void JamPlan::follow(int64_t bar) {
    if (sounds(phase_)) {
        if (!sounds_from_) sounds_from_ = bar;
    } else if (sounds_from_) {
        last_ = Music{*sounds_from_, true, static_cast<int>(bar - *sounds_from_)};
        sounds_from_.reset();
    }
    if (auto change = following(bar)) put(std::move(*change));
}

std::optional<JamPlan::Change> JamPlan::following(int64_t bar) {
    const bool listening = phase_ == phase_listening;
    was_heard_ = false;
    switch (mode_) {
        case jam_trade:
            if (sounds(phase_))
                return turn_held_ ? Change{bar + bars_, phase_playing, answer} : Change{bar + bars_, phase_listening};
            if (phase_ == phase_stopped || turn_held_) return std::nullopt;
            return Change{bar + bars_, phase_playing, answer};
        case jam_accompany:
            if (phase_ == phase_both) next_ = bar;
            if (phase_ == phase_playing) return Change{bar + std::max(bars_, lead_bars), phase_both, accompany};
            if (listening) return Change{bar + bars_, phase_both, accompany};
            return std::nullopt;
        case jam_continue:
            if (sounds(phase_) && bars_ > 0 && !turn_held_) return Change{bar + bars_, phase_listening};
            return std::nullopt;
        case jam_loop:
            if (listening) {
                loops_.push_back({bar, false, bars_});
                plain_ = true;
            }
            if (listening || phase_ == phase_both) return next_pass(bar + bars_);
            return std::nullopt;
        case jam_off: break;
    }
    return std::nullopt;
}

JamPlan::Change JamPlan::next_pass(int64_t bar) const {
    Change change{bar, phase_both, pass, plain_};
    change.then = passed;
    return change;
}

void JamPlan::listen(const JamMoment& now, std::vector<JamOrder>& orders) {
    if (mode_ == jam_continue) listen_for_the_player(now);
    if (mode_ != jam_accompany || phase_ != phase_both || kept_ || pending()) return;
    const int64_t due = next_ + now.every_bars;
    if (now.beats < now.bar_beats(due) - now.lead_beats) return;
    next_ = std::max(due, now.reachable(now.lead_beats));
    const Heard heard = note(window(now));
    orders.push_back({JamOrder::relisten, next_, 0, heard.begin, heard.end});
}

// Segue takes over when the player has stopped for a beat, and hands back when she plays again.
void JamPlan::listen_for_the_player(const JamMoment& now) {
    const auto coming = std::find_if(changes_.begin(), changes_.end(), [](const Change& each) { return each.press < 0; });
    const bool comes = coming != changes_.end();
    if (phase_ == phase_listening) {
        was_heard_ = was_heard_ || now.playing;
        if (now.playing && comes && !coming->ordered)
            changes_.erase(coming);
        else if (!now.playing && was_heard_ && changes_.empty() && !turn_held_)
            put({now.reachable(now.lead_beats), phase_playing, answer});
    } else if (phase_ == phase_playing && now.playing && !pending() && !turn_held_) {
        const int64_t next = now.reachable(0);
        if (!comes || coming->bar > next) put({next, phase_listening, stop, true});
    }
}

void JamPlan::build(const Change& change, const JamMoment& now, std::vector<JamOrder>& orders) {
    const double per_bar = now.beats_per_bar;
    const Music music = change.build == pass ? loops_.back() : change.music;
    const double begin = now.bar_beats(music.first), end = begin + music.bars * per_bar;
    Heard heard;
    switch (change.build) {
        case nothing: break;
        case answer: orders.push_back(conversation(change.bar, now)); break;
        case stop: orders.push_back({JamOrder::stop, change.bar}); break;
        case release: orders.push_back({JamOrder::release, change.bar}); break;
        case repeat: orders.push_back({JamOrder::repeat, change.bar, change.repeats, begin, end, music.own}); break;
        case pass:
            if (plain_)
                orders.push_back({JamOrder::repeat, change.bar, music.bars, begin, end, music.own});
            else
                orders.push_back({JamOrder::vary, change.bar, 0, begin, end, music.own});
            break;
        case accompany:
            next_ = change.bar;
            heard = kept_ ? *kept_ : note(window(now));
            orders.push_back({JamOrder::accompany, change.bar, 0, heard.begin, heard.end});
            break;
        case back:
            orders.push_back({JamOrder::relisten, change.bar, 0, change.heard.begin, change.heard.end});
            break;
        case recorded:
            kept_ = heard = note({begin, std::min(now.beats, end)});
            orders.push_back({sounds(phase_) ? JamOrder::relisten : JamOrder::accompany, change.bar, 0, heard.begin,
                              heard.end});
            break;
    }
}

// What was played lately, from a bar line on, up to now. Of a last bar that is at most half over, or too long to be made
// up unheard, nothing is taken: the music then goes on from the bar line before it.
JamOrder JamPlan::conversation(int64_t bar, const JamMoment& now) const {
    double end = std::min(now.beats, now.bar_beats(bar));
    const double begin = now.bar_beats(std::max<int64_t>(0, bar - turn_bars() - context_bars));
    const double over = std::fmod(end, now.beats_per_bar);
    const double missing = std::fmod(now.beats_per_bar - over, now.beats_per_bar) * 60 / now.tempo_bpm;
    if ((over <= now.beats_per_bar / 2 || missing > unheard_seconds) && end - over > begin) end -= over;
    return {JamOrder::answer, bar, bars_, std::min(begin, end), end};
}

// The last whole bars up to now, from the first one on; less than a bar at the very beginning.
JamPlan::Heard JamPlan::window(const JamMoment& now) const {
    const int bars = std::min(std::max(bars_, window_bars), static_cast<int>(now.beats / now.beats_per_bar));
    return {bars > 0 ? now.beats - bars * now.beats_per_bar : 0, now.beats};
}

JamPlan::Heard JamPlan::note(Heard heard) {
    music_for_.push_back(heard);
    if (music_for_.size() > heard_most) music_for_.pop_front();
    return heard;
}

void JamPlan::moved(int64_t bar, int64_t to_bar, bool ordered) {
    for (Change& change : changes_) {
        if (change.bar != bar || !change.ordered) continue;
        change.bar = to_bar;
        change.ordered = ordered;
        std::stable_sort(changes_.begin(), changes_.end(), [](const Change& a, const Change& b) { return a.bar < b.bar; });
        return;
    }
    if (since_ != bar || !entered_) return;
    Change again = *entered_;  // it was entered already, and is not heard yet
    phase_ = phase_before_;
    since_ = since_before_;
    changes_.erase(std::remove_if(changes_.begin(), changes_.end(), [](const Change& each) { return each.press < 0; }),
                   changes_.end());
    again.bar = to_bar;
    again.ordered = ordered;
    put(std::move(again));
}

int64_t JamPlan::change_bar() const {
    for (const Change& each : changes_)
        if (each.to != phase_) return each.bar;
    return -1;
}

}  // namespace segue
