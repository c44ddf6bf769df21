// Hostile saved states, parameters and host times for the plugin: hostile_state CASES BLOCKS SEED [naive]. MIT.
//
// Each state is a good one with some bytes changed. A damaged capture must leave the one before, numbers must stay in
// their ranges, and what is saved then must come back from another instance as the same bytes. Blocks with random
// parameters and times must be finite. Built with sanitizers, which end the program at a fault.
// Prints: states refused not_kept out_of_range not_equal blocks not_finite.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "lane_host.hpp"

using namespace segue;

using Random = std::mt19937_64;
constexpr int sample_rate_hz = 48000, channels = 2, longest = 4096, cases_of_one = 500, n_good = 3;

static std::string capture_of(int role, Random& random) {
    std::string why;
    auto capture = Capture::create(1, sample_rate_hz, 1 + role % 2, 64, why);
    if (!capture) std::exit(3);
    segue_captured about{};
    about.n_samples = 64, about.tempo_bpm = 120, about.signature_numerator = about.signature_denominator = 4;
    for (int i = 0; i < 64 * capture->channels(); ++i)
        capture->payload()[i] = static_cast<float>(random() % 2000) / 1000 - 1;
    capture->put_whole(about);
    return *SavedCapture::write(*capture, role);
}

static std::string mutated(std::string text, Random& random) {
    static const char* const words[] = {"", "-1", "99999999999999999999", "nan", "inf", "-inf", "1e308", "0x7fffffff",
                                        "segue-capture-1 ", "%n%s", "\xff\xfe", "AAAA", "=", "\n"};
    for (int changes = 1 + static_cast<int>(random() % 4); changes > 0; --changes) {
        const size_t place = text.empty() ? 0 : random() % (text.size() + 1);
        switch (random() % 6) {
            case 0: text.resize(place); break;
            case 1: if (place < text.size()) text[place] = static_cast<char>(1 + random() % 255); break;
            case 2: text.insert(place, words[random() % (sizeof words / sizeof *words)]); break;
            case 3: text += text.substr(place); break;
            case 4: text.erase(place, random() % 8); break;
            default: text = words[random() % (sizeof words / sizeof *words)];
        }
        if (text.size() > 1 << 16) text.resize(1 << 16);
    }
    return text;
}

static bool in_range(const Saved& saved) {
    return saved.engine_port >= 1024 && saved.engine_port < 65536 && saved.lane >= -1 && saved.lane < lanes_max &&
           saved.seed >= -1 && saved.seed <= whole_max && std::isfinite(saved.start_beats) &&
           saved.prompt.size() <= text_max && saved.takes.size() <= text_max;
}

static bool same_again(const Session& session) {
    Values values;
    LaneHost other(values, sample_rate_hz, channels);
    for (const char* key : state_keys) other.session().restore(key, session.state(key));
    for (const char* key : state_keys)
        if (other.session().state(key) != session.state(key)) return false;
    return true;
}

struct Found {
    long states = 0, refused = 0, not_kept = 0, out_of_range = 0, not_equal = 0, blocks = 0, not_finite = 0;
};

static void one_state(Session& session, const std::string (&good)[n_good], Random& random, bool naive, Found& found) {
    static const char* const texts[] = {"warm piano", "9600", "12", "-1", "4711", "2500", "4711 0 0 0"};
    const std::string key = state_keys[random() % n_state_keys];
    const bool captured = key.compare(0, 8, "captured") == 0;
    const std::string whole = captured ? good[random() % n_good] : texts[random() % (sizeof texts / sizeof *texts)];
    const std::string text = random() % 4 ? mutated(whole, random) : whole;
    std::string before[n_roles];
    for (int role = 0; role < n_roles; ++role) before[role] = session.state(std::string("captured_") + roles[role]);
    SavedCapture seen;
    const bool damaged = captured && !text.empty() && !SavedCapture::look(text, seen);
    session.restore(key, naive && damaged ? "" : text);
    ++found.states;
    if (damaged) {
        ++found.refused;
        for (int role = 0; role < n_roles; ++role)
            if (session.state(std::string("captured_") + roles[role]) != before[role]) {
                ++found.not_kept;
                break;
            }
    } else if (captured && seen.text) {
        std::string why;
        seen.capture(2, why);
    }
    found.out_of_range += !in_range(session.saved());
}

static double odd_number(Random& random) {
    static const double edges[] = {0, -1, 1, 1e-300, -1e-9, 1e9, 1e18, -1e18, std::numeric_limits<double>::infinity(),
                                   std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::max()};
    return random() % 3 ? static_cast<double>(random() % 100000) / 100 - 200 : edges[random() % (sizeof edges / sizeof *edges)];
}

static void one_block(LaneHost& host, Values& values, Random& random, Found& found) {
    static std::vector<float> left(longest), right(longest);
    for (int changes = static_cast<int>(random() % 4); changes > 0; --changes) {
        const int parameter = static_cast<int>(random() % p_count);
        if (parameter != p_offline) values.set(parameter, static_cast<float>(odd_number(random)));
    }
    HostTime time;
    time.valid = random() % 8, time.playing = random() % 2, time.recording = random() % 2, time.looping = random() % 2;
    time.has_beats = random() % 2;
    time.position_samples = random() % 4 ? static_cast<int64_t>(random() % 100000000) : static_cast<int64_t>(random());
    time.tempo_bpm = odd_number(random), time.beats = odd_number(random), time.bar_beats = odd_number(random);
    time.numerator = static_cast<int>(random() % 20) - 2, time.denominator = static_cast<int>(random() % 20) - 2;
    time.loop_start_beats = odd_number(random), time.loop_end_beats = odd_number(random);
    const int n = static_cast<int>(random() % (longest + 1));
    for (int i = 0; i < n; ++i) left[i] = right[i] = 0.25f;
    float* out[2] = {left.data(), right.data()};
    const float* in[2] = {left.data(), right.data()};
    host.run(in, out, n, time);
    ++found.blocks;
    for (int i = 0; i < n; ++i)
        if (!std::isfinite(left[i]) || !std::isfinite(right[i])) {
            ++found.not_finite;
            break;
        }
}

int main(int count, char** words) {
    if (count < 4) return 2;
    const long cases = std::atol(words[1]), blocks = std::atol(words[2]);
    Random random(std::strtoull(words[3], nullptr, 10));
    const bool naive = count > 4;
    std::string good[n_good];
    for (int role = 0; role < n_good; ++role) good[role] = capture_of(role, random);
    Found found;
    while (found.states < cases) {
        Values values;
        LaneHost host(values, sample_rate_hz, channels);
        for (int i = 0; i < cases_of_one && found.states < cases; ++i) one_state(host.session(), good, random, naive, found);
        found.not_equal += !same_again(host.session());
    }
    while (found.blocks < blocks) {
        Values values;
        LaneHost host(values, sample_rate_hz, channels);
        host.wait_at_most(0);
        for (int i = 0; i < cases_of_one && found.blocks < blocks; ++i) one_block(host, values, random, found);
    }
    std::printf("%ld %ld %ld %ld %ld %ld %ld\n", found.states, found.refused, found.not_kept, found.out_of_range,
                found.not_equal, found.blocks, found.not_finite);
}
