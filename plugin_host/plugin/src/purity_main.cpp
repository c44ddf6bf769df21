// What the plugin's audio thread calls, for `segue bench --trust`: purity RING CALLS BLOCK [broken], rtcount preloaded.
//
// Half of the calls play the ring, the other half finds no music, jumps, loops, stops and other tempos. Prints:
// calls, samples played, then what was called: allocations, locks, file and socket calls, sleeps; page faults. MIT.
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <sys/resource.h>
#include <vector>

#include "lane_host.hpp"

using namespace segue;

constexpr long warm_calls = 64;

static long page_faults() {
    rusage now{};
    getrusage(RUSAGE_THREAD, &now);
    return now.ru_minflt + now.ru_majflt;
}

template <class Function> static Function* found(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

int main(int count, char** words) {
    if (count < 4) return 2;
    const long calls = std::atol(words[2]);
    const int block = std::atoi(words[3]);
    const bool broken = count > 4;
    auto* enter = found<void()>("rt_enter");
    auto* leave = found<void()>("rt_leave");
    auto* counted = found<long(int)>("rt_counted");
    if (!enter || !leave || !counted) return 4;
    std::vector<float> left(block, 0.1f), right(block, -0.1f);
    float* out[2] = {left.data(), right.data()};
    const float* in[2] = {left.data(), right.data()};
    std::string why;
    Values values;
    auto host = std::make_unique<LaneHost>(values, 48000, 2);
    auto reader = RingReader::attach(words[1], why);
    if (!reader) return 3;
    host->play(reader.get());
    HostTime time;
    time.valid = time.playing = time.has_beats = true;
    double bpm = 120;
    int64_t position = 0;
    long faults = 0;
    for (long call = 0; call < calls; ++call, position += block) {
        const bool music = call < calls / 2;
        for (int tries = 0; music && reader->ahead(position) < block && tries < 600000; ++tries) {
            const timespec pause{0, 100000};
            nanosleep(&pause, nullptr);
        }
        if (!music && call % 5000 == 0) position = (call * 7919) % 9600000;
        if (!music && call % 3001 == 0) bpm = 60 + static_cast<double>(call % 140);
        time.playing = music || call % 4001 > 500;
        time.position_samples = position;
        time.beats = static_cast<double>(position) * bpm / (60.0 * 48000);
        time.tempo_bpm = bpm;
        const long before = page_faults();
        if (call >= warm_calls) enter();
        host->run(in, out, block, time);
        if (broken && call % 1000 == 999) {
            void* volatile leaked = std::malloc(16);  // volatile: the compiler would leave the pair out
            std::free(leaked);
        }
        leave();
        const long more = page_faults() - before;
        if (call >= warm_calls && more) std::fprintf(stderr, "%ld page faults in call %ld\n", more, call);
        if (call >= warm_calls) faults += more;
    }
    const auto played = static_cast<unsigned long long>(host->processor().counters.played_samples);
    std::printf("%ld %llu %ld %ld %ld %ld %ld\n", calls, played, counted(0), counted(1), counted(2), counted(3), faults);
    host->play(nullptr);
    return 0;
}
