// How long the engine takes from listening to sound: see jam_plan.hpp. MIT.
#include <algorithm>
#include <cmath>

#include "jam_plan.hpp"

namespace segue {

namespace {

constexpr size_t kept_seconds = 40, kept_needs = 4;
constexpr int slower_most = 2;  // doublings of the interval
constexpr double unknown_seconds = 1.5, spare_seconds = 0.15, share = 0.95;
constexpr double spread = 1.3;  // over the measured time

}  // namespace

void JamPace::took(double seconds) {
    seconds_.push_back(seconds);
    if (seconds_.size() > kept_seconds) seconds_.pop_front();
}

void JamPace::needs(double seconds) {
    needs_.push_back(seconds);
    if (needs_.size() > kept_needs) needs_.pop_front();
}

void JamPace::listened(bool fell_behind) {
    slower_ = fell_behind ? std::min(slower_ + 1, slower_most) : std::max(0, slower_ - 1);
}

double JamPace::p95_seconds() const {
    if (seconds_.empty()) return unknown_seconds;
    std::vector<double> sorted(seconds_.begin(), seconds_.end());
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size()))) - 1];
}

int JamPace::lead_beats(double tempo_bpm) const {
    double ahead = (seconds_.empty() ? 1.0 : spread) * p95_seconds();
    for (const double needed : needs_) ahead = std::max(ahead, needed);
    return std::max(1, static_cast<int>(std::ceil((ahead + spare_seconds) * tempo_bpm / 60)));
}

int JamPace::every_bars(int bars, double beats_per_bar, double tempo_bpm) const {
    const double bar_seconds = beats_per_bar * 60 / tempo_bpm;
    return std::max(bars, static_cast<int>(std::ceil((p95_seconds() + spare_seconds) / bar_seconds))) << slower_;
}

}  // namespace segue
