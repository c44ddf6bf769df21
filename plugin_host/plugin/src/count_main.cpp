// The ring test as a program, for sanitizer builds: `count RING SAMPLES SEED` prints the number of samples read. MIT.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" int64_t segue_count(const char* name, int64_t n_samples, uint32_t seed);

int main(int count, char** words) {
    if (count != 4) return 2;
    const long long samples = std::atoll(words[2]);
    std::printf("%lld\n", static_cast<long long>(segue_count(words[1], samples, std::atoi(words[3]))));
    return 0;
}
