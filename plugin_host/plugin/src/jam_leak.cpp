// Segue's own sound taken out of the plugin's input: see jam_leak.hpp. MIT.
#include "jam_leak.hpp"

#include <algorithm>
#include <cmath>

#include "spectrum.hpp"

namespace segue {

namespace {

constexpr double part_seconds = 0.68, longest_seconds = 0.25, pre_seconds = 0.003, taps_seconds = 0.085;
constexpr double least_seconds = 0.001;  // of a way out of the computer and back
constexpr double silent = 1e-4;  // RMS under which Segue plays nothing that could leak
constexpr double enough = 8, noise = 4, clear_most = 10, forget_votes = 0.85;  // as in delay_search.py
constexpr double least_power = 1e-8, direct_share = 0.5, early_seconds = 0.01;
constexpr double least_left = 1e-4;  // of the input that may be left, as power
constexpr double lasting = 0.98, forget_trust = 0.7, trusted = 60;
constexpr int steps = 50;        // of conjugate gradients; each solution starts from the one before

double product(const std::vector<Samples>& a, const std::vector<Samples>& b) {
    double sum = 0;
    for (size_t r = 0; r < a.size(); ++r)
        for (size_t k = 0; k < a[r].size(); ++k) sum += a[r][k] * b[r][k];
    return sum;
}

}  // namespace

JamLeak::JamLeak(int sample_rate_hz, int channels)
    : rate_(sample_rate_hz), channels_(channels), part_(static_cast<int64_t>(power_of_two(nearest(part_seconds * sample_rate_hz / 1.4)))),
      taps_(static_cast<int64_t>(power_of_two(nearest(taps_seconds * sample_rate_hz / 1.4)))),
      longest_(nearest(longest_seconds * sample_rate_hz)), pre_(nearest(pre_seconds * sample_rate_hz)), least_(nearest(least_seconds * sample_rate_hz)),
      votes_(static_cast<size_t>(longest_ + 1)), variance_(static_cast<size_t>(taps_)), paths_(static_cast<size_t>(channels)) {
    for (int64_t k = 0; k < taps_; ++k) {
        const double away = std::abs(static_cast<double>(k - pre_)) * 48000 / sample_rate_hz;
        variance_[static_cast<size_t>(k)] = 0.2 * std::exp(-away / 6) + 3e-4 * std::exp(-away / 700) + 1e-9;
    }
    forget();
}

void JamLeak::forget() {
    const auto taps = static_cast<size_t>(taps_), references = static_cast<size_t>(references_);
    learned_ = 0;
    for (Path& path : paths_) {
        path.power.assign(references * references, Spectrum(2 * taps));
        path.told.assign(references, Samples(taps));
        path.filter.assign(references, Samples(taps));
        path.trust = 0;
        path.used = false;
    }
}

bool JamLeak::found() const {
    return std::any_of(paths_.begin(), paths_.end(), [](const Path& each) { return each.used; });
}

double JamLeak::delay_ms() const {
    int64_t at = 0;
    double most = 0;
    for (const Path& path : paths_)
        for (int64_t k = 0; k < taps_; ++k) {
            const double size = std::abs(path.filter[0][static_cast<size_t>(k)]);
            if (size > most) at = k;
            most = std::max(most, size);
        }
    return first_ < 0 ? 0 : 1000.0 * static_cast<double>(first_ + at) / rate_;
}

// Segue's output in mid and side, so that a signal in the middle has one path; silence where it is not known.
std::vector<Samples> JamLeak::references(const JamMemory& memory, int64_t begin, int64_t end) const {
    std::vector<Samples> out(static_cast<size_t>(references_), Samples(static_cast<size_t>(end - begin)));
    const int64_t known = std::max(begin, memory.first());
    std::vector<float> own(static_cast<size_t>(std::max<int64_t>(0, end - known) * channels_));
    if (own.empty() || !memory.read(known, end, true, own.data())) return out;
    for (int64_t i = 0; i < end - known; ++i) {
        const float left = own[static_cast<size_t>(i * channels_)], right = own[static_cast<size_t>((i + 1) * channels_ - 1)];
        const auto at = static_cast<size_t>(known - begin + i);
        out[0][at] = 0.5 * (left + right);
        if (references_ > 1) out[1][at] = 0.5 * (left - right);
    }
    return out;
}

void JamLeak::learn(const JamMemory& memory, int64_t begin, int64_t end) {
    if (next_ < begin - part_ || next_ > end) next_ = begin;
    if (first_ < 0) next_ = end - part_;  // a look in each bar is enough to find a delay
    for (; next_ + part_ <= end; next_ += part_ / 2) learn_part(memory, next_, next_ + part_);
}

void JamLeak::learn_part(const JamMemory& memory, int64_t begin, int64_t end) {
    std::vector<float> audio(static_cast<size_t>((end - begin) * channels_));
    if (!memory.read(begin, end, true, audio.data())) return;
    double power = 0;
    bool side = false;
    for (size_t i = 0; i < audio.size(); ++i) {
        power += static_cast<double>(audio[i]) * audio[i];
        side = side || (channels_ > 1 && audio[i] != audio[i - i % static_cast<size_t>(channels_)]);
    }
    if (std::sqrt(power / static_cast<double>(audio.size())) < silent) return;
    if (side && references_ == 1) {
        references_ = 2;
        forget();
    }
    if (!memory.read(begin, end, false, audio.data())) return;
    std::vector<Samples> in(static_cast<size_t>(channels_), Samples(static_cast<size_t>(end - begin)));
    bool any = false;
    for (size_t i = 0; i < audio.size(); ++i) {
        in[i % in.size()][i / in.size()] = audio[i];
        any = any || audio[i] != 0;
    }
    if (!any) return;
    if (channels_ > 1 && in[0] == in[1] && paths_.size() > 1) paths_.pop_back();  // one path is enough for both
    if (in.size() > paths_.size() && in[0] != in[1]) paths_.push_back(paths_[0]);
    ++learned_;
    if (!found()) search(in, references(memory, begin - longest_, end));
    if (!place()) return;
    const std::vector<Samples> played = references(memory, begin - first_ - taps_, end - first_);
    for (size_t c = 0; c < paths_.size(); ++c) {
        Path& path = paths_[c];
        bool worse = false;
        const Evidence here = evidence(path, in[c], played, worse);
        const double gain = product(path.filter, here.told) - 0.5 * product(path.filter, applied(here.power, path.filter));
        path.trust = forget_trust * path.trust + gain;
        const double keep = worse || gain < -trusted ? 0 : lasting;  // 0: the path is another one
        path.used = keep > 0 && path.trust > (path.used ? 0 : trusted);
        for (size_t r = 0; r < path.power.size(); ++r)
            for (size_t f = 0; f < path.power[r].size(); ++f) path.power[r][f] = keep * path.power[r][f] + here.power[r][f];
        for (size_t r = 0; r < path.told.size(); ++r)
            for (size_t k = 0; k < path.told[r].size(); ++k) path.told[r][k] = keep * path.told[r][k] + here.told[r][k];
        if (keep == 0) {
            path.trust = 0;
            learned_ = 0;
            for (double& vote : votes_) vote *= 0.1;
        }
        solve(path);
    }
}

// Votes for delays: how far each stands out of the noise of a correlation of phases alone.
void JamLeak::search(const std::vector<Samples>& in, const std::vector<Samples>& played) {
    const size_t count = in[0].size() / 2, length = count + static_cast<size_t>(longest_);
    const size_t size = power_of_two(static_cast<int64_t>(length));
    Samples best(votes_.size());
    for (const Samples& reference : played) {
        const Spectrum there = spectrum(reference.data(), length, 0, size);
        const Samples there_power = smooth_power(there, rate_);
        double most = 1e-12;
        for (const auto& value : there) most = std::max(most, std::norm(value));
        for (size_t c = 0; c < paths_.size(); ++c) {
            const Samples& channel = in[c];
            Spectrum cross = spectrum(channel.data(), count, static_cast<size_t>(longest_), size);
            const Samples here_power = smooth_power(cross, rate_);
            for (size_t f = 0; f < size; ++f) {
                const std::complex<double> value = cross[f] * std::conj(there[f]);
                const double share = std::sqrt(std::min(there_power[f] / (here_power[f] + 1e-20), 1.0));
                cross[f] = std::norm(there[f]) > least_power * most ? share * value / std::max(std::abs(value), 1e-30) : 0;
            }
            transform(cross, true);
            Samples lags(votes_.size());
            for (size_t lag = 0; lag < lags.size(); ++lag) lags[lag] = std::abs(cross[lag].real());
            Samples sorted = lags;
            std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
            const double usual = sorted[sorted.size() / 2] / 0.6745;
            for (size_t lag = static_cast<size_t>(least_); usual > 0 && lag < lags.size(); ++lag) best[lag] = std::max(best[lag], lags[lag] / usual);
        }
    }
    for (size_t lag = 0; lag < votes_.size(); ++lag)
        votes_[lag] = forget_votes * votes_[lag] + std::clamp(best[lag], noise, clear_most) - noise;
}

// Put the filters where the direct path is, and begin anew there; filters that work stay. Whether there is a place.
bool JamLeak::place() {
    if (found()) return true;
    const auto strongest = std::max_element(votes_.begin(), votes_.end());
    if (*strongest < enough) return first_ >= 0;
    const int64_t at = strongest - votes_.begin(), early = nearest(early_seconds * rate_);
    int64_t lag = std::max<int64_t>(0, at - early);
    while (votes_[static_cast<size_t>(lag)] < direct_share * *strongest) ++lag;
    const int64_t first = std::max<int64_t>(0, lag - pre_);
    if (first_ >= 0 && std::abs(first - first_) < pre_ / 2) return true;
    first_ = first;
    forget();
    return true;
}

// What a part says of a filter, each frequency as much as the player is soft there. `played` begins `taps_` earlier.
JamLeak::Evidence JamLeak::evidence(const Path& path, const Samples& in, const std::vector<Samples>& played, bool& worse) const {
    const auto taps = static_cast<size_t>(taps_), pre = static_cast<size_t>(pre_), n = in.size(), count = played.size();
    const size_t size = power_of_two(static_cast<int64_t>(n + taps));
    std::vector<Spectrum> there;
    Spectrum leaked(size);
    for (size_t r = 0; r < count; ++r) {
        const Spectrum whole = spectrum(played[r].data(), played[r].size(), 0, size);
        const Spectrum filter = spectrum(path.filter[r].data(), taps, 0, size);
        for (size_t f = 0; f < size; ++f) leaked[f] += filter[f] * whole[f];
        there.push_back(spectrum(rounded(played[r].data() + taps - pre, n).data(), n, 0, size));
    }
    transform(leaked, true);
    Samples left(n);
    double power_in = 0, power_left = 0;
    for (size_t i = 0; i < n; ++i) {
        left[i] = in[i] - leaked[taps + i].real();
        power_in += in[i] * in[i];
        power_left += left[i] * left[i];
    }
    worse = power_left > power_in;
    const Spectrum here = spectrum(rounded(in.data(), n).data(), n, 0, size);
    const Samples heard = smooth_power(here, rate_);
    Samples weight = smooth_power(spectrum(rounded(left.data(), n).data(), n, 0, size), rate_);
    for (size_t f = 0; f < size; ++f) weight[f] = 1 / (weight[f] + least_left * heard[f] + 1e-12);
    const double scale = 0.5 * static_cast<double>(n);  // parts overlap by half
    Evidence out;
    for (size_t i = 0; i < count; ++i) {
        const Samples told = correlated(here, there[i], weight, scale);
        Samples& row = out.told.emplace_back(taps);
        for (size_t k = 0; k < taps; ++k) row[k] = told[(k + size - pre) % size];
        for (size_t j = 0; j < count; ++j) {
            const Samples agree = correlated(there[j], there[i], weight, scale);
            Spectrum& round = out.power.emplace_back(2 * taps);  // the same for every two taps that lie as far apart
            for (size_t l = 0; l < taps; ++l) round[l] = agree[l];
            for (size_t l = 1; l < taps; ++l) round[2 * taps - l] = agree[size - l];
            transform(round, false);
        }
    }
    return out;
}

std::vector<Samples> JamLeak::applied(const std::vector<Spectrum>& power, const std::vector<Samples>& filter) const {
    const auto taps = static_cast<size_t>(taps_);
    std::vector<Spectrum> there;
    for (const Samples& each : filter) there.push_back(spectrum(each.data(), taps, 0, 2 * taps));
    std::vector<Samples> out;
    for (size_t i = 0; i < filter.size(); ++i) {
        Spectrum sum(2 * taps);
        for (size_t j = 0; j < filter.size(); ++j)
            for (size_t f = 0; f < sum.size(); ++f) sum[f] += power[i * filter.size() + j][f] * there[j][f];
        transform(sum, true);
        Samples& row = out.emplace_back(taps);
        for (size_t k = 0; k < taps; ++k) row[k] = sum[k].real();
    }
    return out;
}

// (power + 1 / variance) filter = told, by conjugate gradients from the filter before.
void JamLeak::solve(Path& path) const {
    const auto taps = static_cast<size_t>(taps_);
    const auto root = [&](size_t k) { return std::sqrt(variance_[k]); };
    const auto turned = [&](const std::vector<Samples>& x) {
        std::vector<Samples> scaled = x;
        for (Samples& each : scaled)
            for (size_t k = 0; k < taps; ++k) each[k] *= root(k);
        std::vector<Samples> out = applied(path.power, scaled);
        for (size_t r = 0; r < x.size(); ++r)
            for (size_t k = 0; k < taps; ++k) out[r][k] = root(k) * out[r][k] + x[r][k];
        return out;
    };
    std::vector<Samples> x = path.filter;
    for (Samples& each : x)
        for (size_t k = 0; k < taps; ++k) each[k] /= root(k);
    std::vector<Samples> rest = turned(x);
    double told = 0;
    for (size_t r = 0; r < x.size(); ++r)
        for (size_t k = 0; k < taps; ++k) {
            const double wanted = root(k) * path.told[r][k];
            told += wanted * wanted;
            rest[r][k] = wanted - rest[r][k];
        }
    std::vector<Samples> along = rest;
    double size = product(rest, rest);
    for (int step = 0; step < steps && size > 1e-8 * told; ++step) {
        const std::vector<Samples> pulled = turned(along);
        const double bend = product(along, pulled);
        if (bend <= 0) break;
        const double length = size / bend;
        for (size_t r = 0; r < x.size(); ++r)
            for (size_t k = 0; k < taps; ++k) {
                x[r][k] += length * along[r][k];
                rest[r][k] -= length * pulled[r][k];
            }
        const double now = product(rest, rest);
        for (size_t r = 0; r < x.size(); ++r)
            for (size_t k = 0; k < taps; ++k) along[r][k] = rest[r][k] + now / size * along[r][k];
        size = now;
    }
    for (size_t r = 0; r < x.size(); ++r)
        for (size_t k = 0; k < taps; ++k) path.filter[r][k] = root(k) * x[r][k];
}

void JamLeak::clean(const JamMemory& memory, int64_t begin, int64_t end, float* input) const {
    if (!found()) return;
    const auto taps = static_cast<size_t>(taps_);
    for (int64_t at = begin; at < end; at += part_) {
        const int64_t until = std::min(end, at + part_);
        const size_t size = power_of_two(until - at + taps_);
        std::vector<Spectrum> played;
        for (const Samples& each : references(memory, at - first_ - taps_, until - first_))
            played.push_back(spectrum(each.data(), each.size(), 0, size));
        for (size_t c = 0; c < static_cast<size_t>(channels_); ++c) {
            const Path& path = paths_[std::min(c, paths_.size() - 1)];
            if (!path.used) continue;
            Spectrum leaked(size);
            for (size_t r = 0; r < played.size(); ++r) {
                const Spectrum filter = spectrum(path.filter[r].data(), taps, 0, size);
                for (size_t f = 0; f < size; ++f) leaked[f] += filter[f] * played[r][f];
            }
            transform(leaked, true);
            for (int64_t i = 0; i < until - at; ++i)
                input[(at - begin + i) * channels_ + static_cast<int64_t>(c)] -=
                    static_cast<float>(leaked[taps + static_cast<size_t>(i)].real());
        }
    }
}

}  // namespace segue
