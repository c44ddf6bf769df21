// The plan of a jam: see jam_plan.hpp. MIT.
#include "jam_plan.hpp"

#include <algorithm>
#include <cmath>

namespace segue {

namespace {

constexpr int quick_beats = 1;   // before a change that needs no new music of the model
constexpr int context_bars = 4;  // of the music before the player's turn that an answer also goes on from
constexpr int window_bars = 4;   // listened to at least, once there are so many
constexpr size_t kept_seconds = 40;
constexpr double unheard_seconds = 1.0;           // of music that the engine makes up before a bar line
constexpr int slower_most = 3, good_enough = 4;  // doublings of the interval; listenings until it is halved again
constexpr double unknown_seconds = 1.5, spare_seconds = 0.15, share = 0.95;

}  // namespace

int64_t JamMoment::reachable(int lead) const {
    return static_cast<int64_t>(std::ceil((beats + lead) / beats_per_bar));
}

int JamPlan::usual_bars(JamMode mode) { return mode == jam_accompany ? 2 : mode == jam_continue ? 0 : 4; }

JamPlan::JamPlan(JamMode mode, int bars) : mode_(mode), bars_(bars > 0 ? bars : usual_bars(mode)) { follow(0); }

std::vector<JamOrder> JamPlan::tick(const JamMoment& now) {
    std::vector<JamOrder> orders;
    while (change_ && now.bar_beats(change_->bar) <= now.beats) {
        const Change change = *change_;
        if (!change.ordered) build(change, now, orders);
        enter(change);
    }
    listen(now, orders);
    if (change_ && !change_->ordered) {
        const int lead = change_->quick ? quick_beats : now.lead_beats;
        if (now.beats >= now.bar_beats(change_->bar) - lead) {
            change_->ordered = true;
            build(*change_, now, orders);
        }
    }
    return orders;
}

void JamPlan::enter(const Change& change) {
    phase_before_ = phase_;
    since_before_ = since_;
    phase_ = change.to;
    since_ = change.bar;
    change_.reset();
    if (change.build == pass) plain_ = false;
    follow(since_);
}

// What follows by itself on the phase that begins at a bar.
void JamPlan::follow(int64_t bar) {
    const bool listening = phase_ == phase_listening;
    was_heard_ = false;
    switch (mode_) {
        case jam_trade:
            change_ = listening ? Change{bar + bars_, phase_playing, answer} : Change{bar + bars_, phase_listening};
            break;
        case jam_accompany:
            if (listening) change_ = Change{bar + bars_, phase_both, accompany};
            else next_ = bar;
            break;
        case jam_continue:
            if (!listening && bars_ > 0) change_ = Change{bar + bars_, phase_listening};
            break;
        case jam_loop:
            if (listening) {
                loop_ = bar;
                plain_ = true;
            }
            change_ = Change{bar + bars_, phase_both, pass, plain_};
            break;
        case jam_off: break;
    }
}

void JamPlan::listen(const JamMoment& now, std::vector<JamOrder>& orders) {
    if (mode_ == jam_continue) listen_for_the_player(now);
    if (mode_ != jam_accompany || phase_ != phase_both) return;
    const int64_t due = next_ + now.every_bars;
    if (now.beats < now.bar_beats(due) - now.lead_beats) return;
    next_ = std::max(due, now.reachable(now.lead_beats));
    orders.push_back(window(JamOrder::relisten, next_, now));
}

// Segue takes over when the player has stopped for a beat, and hands back when she plays again.
void JamPlan::listen_for_the_player(const JamMoment& now) {
    if (phase_ == phase_listening) {
        was_heard_ = was_heard_ || now.playing;
        if (now.playing && change_ && !change_->ordered)
            change_.reset();
        else if (!now.playing && was_heard_ && !change_)
            change_ = Change{now.reachable(now.lead_beats), phase_playing, answer};
    } else if (phase_ == phase_playing && now.playing) {
        const int64_t next = now.reachable(0);
        if (!change_ || change_->bar > next) change_ = Change{next, phase_listening, stop, true};
    }
}

void JamPlan::build(const Change& change, const JamMoment& now, std::vector<JamOrder>& orders) {
    if (change.build == answer) {
        orders.push_back(conversation(change.bar, now));
    } else if (change.build == accompany) {
        next_ = change.bar;
        orders.push_back(window(JamOrder::accompany, change.bar, now));
    } else if (change.build == stop) {
        orders.push_back({JamOrder::stop, change.bar, 0, 0, 0});
    } else if (change.build == pass) {
        const JamOrder::Kind kind = plain_ ? JamOrder::repeat : JamOrder::vary;
        orders.push_back({kind, change.bar, bars_, now.bar_beats(loop_), now.bar_beats(loop_ + bars_)});
    }
}

// What was played lately, from a bar line on, up to now. Of a last bar that is at most half over, or too long to be made
// up unheard, nothing is taken: the music then goes on from the bar line before it.
JamOrder JamPlan::conversation(int64_t bar, const JamMoment& now) const {
    const int turn = mode_ == jam_continue && bars_ == 0 ? 4 : std::max(bars_, 1);
    double end = std::min(now.beats, now.bar_beats(bar));
    const double begin = now.bar_beats(std::max<int64_t>(0, bar - turn - context_bars));
    const double over = std::fmod(end, now.beats_per_bar);
    const double missing = std::fmod(now.beats_per_bar - over, now.beats_per_bar) * 60 / now.tempo_bpm;
    if ((over <= now.beats_per_bar / 2 || missing > unheard_seconds) && end - over > begin) end -= over;
    return {JamOrder::answer, bar, bars_, std::min(begin, end), end};
}

// The last whole bars up to now, from the first one on; less than a bar at the very beginning.
JamOrder JamPlan::window(JamOrder::Kind kind, int64_t bar, const JamMoment& now) const {
    const int bars = std::min(std::max(bars_, window_bars), static_cast<int>(now.beats / now.beats_per_bar));
    return {kind, bar, 0, bars > 0 ? now.beats - bars * now.beats_per_bar : 0, now.beats};
}

void JamPlan::moved(int64_t bar, int64_t to_bar) {
    if (change_ && change_->bar == bar && change_->ordered) {
        change_->bar = to_bar;
    } else if (since_ == bar) {
        const JamPhase to = phase_;
        phase_ = phase_before_;
        since_ = since_before_;
        change_ = Change{to_bar, to, nothing, false, true};
    }
}

void JamPace::took(double seconds) {
    seconds_.push_back(seconds);
    if (seconds_.size() > kept_seconds) seconds_.pop_front();
}

void JamPace::listened(bool fell_behind) {
    good_ = fell_behind ? 0 : good_ + 1;
    if (fell_behind) {
        slower_ = std::min(slower_ + 1, slower_most);
    } else if (good_ >= good_enough) {
        slower_ = std::max(0, slower_ - 1);
        good_ = 0;
    }
}

double JamPace::p95_seconds() const {
    if (seconds_.empty()) return unknown_seconds;
    std::vector<double> sorted(seconds_.begin(), seconds_.end());
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size()))) - 1];
}

int JamPace::lead_beats(double tempo_bpm) const {
    return std::max(1, static_cast<int>(std::ceil((p95_seconds() + spare_seconds) * tempo_bpm / 60)));
}

int JamPace::every_bars(int bars, double beats_per_bar, double tempo_bpm) const {
    const double bar_seconds = beats_per_bar * 60 / tempo_bpm;
    return std::max(bars, static_cast<int>(std::ceil((p95_seconds() + spare_seconds) / bar_seconds))) << slower_;
}

}  // namespace segue
