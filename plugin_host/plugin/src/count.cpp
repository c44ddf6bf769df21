// The reading side of the ring test, as a library or a program. MIT.
#include <algorithm>
#include <vector>

#include "ring_reader.hpp"

using namespace segue;

// Read one channel of samples that count up modulo 2^24, in blocks of varying size, as fast as they arrive. Returns
// the number of consecutive samples; stops at the first that is lost, doubled or wrong.
extern "C" int64_t segue_count(const char* name, int64_t n_samples, uint32_t seed) {
    std::string why;
    auto reader = RingReader::attach(name, why);
    if (!reader || reader->channels() != 1) return -1;
    reader->loudest = 1e15f;
    std::vector<float> out(8192);
    int64_t position = 0;
    uint64_t waits = 0;
    while (position < n_samples && waits < 20000) {
        seed = seed * 1664525u + 1013904223u;
        const int n = 1 + static_cast<int>(std::min<int64_t>((seed >> 8) % 8192, n_samples - position - 1));
        const Stretch got = reader->read(position, out.data(), n, 0);
        if (got.begin) return position;
        for (int i = 0; i < got.end; ++i)
            if (out[i] != static_cast<float>((position + i) & ((1 << 24) - 1))) return position + i;
        position += got.end;
        if (got.end) {
            waits = 0;
        } else {
            ++waits;
            timespec pause{0, 500000};
            nanosleep(&pause, nullptr);
        }
    }
    return position;
}
