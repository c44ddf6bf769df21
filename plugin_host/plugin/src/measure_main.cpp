// Measures the time of a block of a plugin instance that plays a ring: measure RING SAMPLES BLOCK. MIT.
//
// Everything that the plugin does for a block, without the framework's few lines: follow the host's time, read the
// ring, write the transport, mix dry and wet. Prints nanoseconds p50 p99 max, the blocks, the samples played, the
// memory of an instance in kB, and the page faults of all but the first blocks.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/resource.h>

#include "lane_host.hpp"

using namespace segue;

constexpr size_t warm_blocks = 8;

static long page_faults() {
    rusage now{};
    getrusage(RUSAGE_THREAD, &now);
    return now.ru_minflt + now.ru_majflt;
}

static long private_kb() {
    std::FILE* file = std::fopen("/proc/self/smaps_rollup", "r");
    long total = 0, kb = 0;
    char line[256];
    while (file && std::fgets(line, sizeof line, file)) {
        if (std::sscanf(line, "Private_Dirty: %ld", &kb) == 1) total += kb;
        if (std::sscanf(line, "Private_Clean: %ld", &kb) == 1) total += 0;
    }
    if (file) std::fclose(file);
    return total;
}

int main(int count, char** words) {
    if (count != 4) return 2;
    const int64_t samples = std::atoll(words[2]);
    const int block = std::atoi(words[3]);
    std::vector<float> left(block, 0.1f), right(block, -0.1f);
    float* out[2] = {left.data(), right.data()};
    const float* in[2] = {left.data(), right.data()};
    std::vector<uint32_t> took(samples / block + 1);
    std::string why;
    const long before = private_kb();
    Values values;
    auto host = std::make_unique<LaneHost>(values, 48000, 2);
    auto reader = RingReader::attach(words[1], why);
    if (!reader) return 3;
    host->play(reader.get());
    HostTime time;
    time.valid = time.playing = time.has_beats = true;
    size_t blocks = 0;
    long faults = 0;
    for (int64_t at = 0; at + block <= samples; at += block) {
        while (reader->ahead(at) < block && reader->engine_alive()) {
            const timespec pause{0, 200000};
            nanosleep(&pause, nullptr);
        }
        time.position_samples = at;
        time.beats = static_cast<double>(at) * 120 / (60.0 * 48000);
        const long faults_before = page_faults();
        const uint64_t began = monotonic_ns();
        host->run(in, out, block, time);
        const uint64_t ended = monotonic_ns();
        if (blocks >= warm_blocks) faults += page_faults() - faults_before;
        took[blocks++] = static_cast<uint32_t>(ended - began);
    }
    const long after = private_kb();
    const uint64_t played = host->processor().counters.played_samples;
    took.resize(blocks);
    std::sort(took.begin(), took.end());
    std::printf("%u %u %u %zu %llu %ld %ld\n", took[blocks / 2], took[blocks * 99 / 100], took.back(), blocks,
                static_cast<unsigned long long>(played), after - before, faults);
    host->play(nullptr);
    return 0;
}
