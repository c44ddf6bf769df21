// Segue's own sound taken out of the plugin's input, as plugin_host/jam/listening does it for `segue jam`. MIT.
//
//   input ------------------------------(-)--> player
//                                        |
//   own output --delay D--[short filter]-+      learned from half-seconds in which Segue sounds
//
// The delay is the one at which the phases of both agree, half-second after half-second (GCC-PHAT, by votes). The filter
// explains the input best where the player is soft, by frequency (least squares, with the expected size of each tap).
// It is used once it has explained half-seconds that it was not made from: without a leak the input passes unchanged.
// All [session].
#pragma once
#include <complex>
#include <cstdint>
#include <vector>

#include "jam_memory.hpp"

namespace segue {

class JamLeak {
public:
    JamLeak(int sample_rate_hz, int channels);
    // Learn from positions [begin, end) of a memory.
    void learn(const JamMemory& memory, int64_t begin, int64_t end);
    // Learn from the last part before a position.
    void learn_latest(const JamMemory& memory, int64_t end) { learn_part(memory, end - part_, end); }
    // Whether few parts were learned from since the path was last another one.
    bool eager() const { return learned_ < eager_parts; }
    // Take the leak out of the input of positions [begin, end), interleaved.
    void clean(const JamMemory& memory, int64_t begin, int64_t end, float* input) const;
    bool found() const;
    double delay_ms() const;

private:
    using Samples = std::vector<double>;
    using Spectrum = std::vector<std::complex<double>>;
    struct Path {                      // to one channel of the input
        std::vector<Spectrum> power;   // by reference and reference: what the played signal can tell of the filter
        std::vector<Samples> told;     // by reference: what the input says of it
        std::vector<Samples> filter;   // by reference
        double trust = 0;              // by how much the filter explained what it was not made from
        bool used = false;
    };
    struct Evidence {
        std::vector<Spectrum> power;
        std::vector<Samples> told;
    };
    void learn_part(const JamMemory& memory, int64_t begin, int64_t end);
    std::vector<Samples> references(const JamMemory& memory, int64_t begin, int64_t end) const;
    void search(const std::vector<Samples>& in, const std::vector<Samples>& played);
    bool place();
    void forget();
    Evidence evidence(const Path& path, const Samples& in, const std::vector<Samples>& played, bool& worse) const;
    std::vector<Samples> applied(const std::vector<Spectrum>& power, const std::vector<Samples>& filter) const;
    void solve(Path& path) const;

    static constexpr int eager_parts = 40;

    const int rate_, channels_;
    const int64_t part_, taps_, longest_, pre_, least_;
    int references_ = 1;   // mid, and side once Segue has one
    int learned_ = 0;      // parts, since all was forgotten
    int64_t next_ = 0;     // position of the next part to learn from
    int64_t first_ = -1;   // lag of the filters' first tap; -1: no delay was found yet
    Samples votes_;        // by lag
    Samples variance_;     // of each tap
    std::vector<Path> paths_;
};

}  // namespace segue
