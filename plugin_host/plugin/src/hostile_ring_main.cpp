// Hostile memory into the ring reader, for `segue bench --trust`: hostile_ring ATTACHES STATES SEED [naive]. MIT.
//
// Each attach finds a header with some words changed; one that is accepted is read while words of header and slots
// change. Built with sanitizers, which end the program at a fault. Prints: attaches accepted states not_finite.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <unistd.h>
#include <vector>

#include "ring_reader.hpp"

using namespace segue;

using Random = std::mt19937_64;
constexpr uint32_t channels = 2, block = 64, capacity = 8, longest = 512;
constexpr size_t payload = 4096, whole = payload + 4 * channels * block * capacity;

static uint64_t word_of(Random& random) {
    static const uint64_t edges[] = {0, 1, 2, 7, 8, 63, 64, 65, 4096, 1u << 31, 0xffffffffu, ~0ull, 1ull << 63, ~0ull >> 1};
    return random() % 2 ? edges[random() % (sizeof edges / sizeof *edges)] : random();
}

static void good(uint8_t* data) {
    std::memset(data, 0, whole);
    segue_identity& id = reinterpret_cast<segue_header*>(data)->identity;
    id.magic = SEGUE_MAGIC, id.version = SEGUE_VERSION, id.sample_rate_hz = 48000, id.channels = channels;
    id.block_samples = block, id.capacity_blocks = capacity, id.slots_offset = SEGUE_HEADER_BYTES;
    id.payload_offset = payload, id.segment_bytes = whole, id.engine_pid = static_cast<uint32_t>(getpid());
    reinterpret_cast<segue_header*>(data)->writer.blocks_written = capacity;
    auto* slots = reinterpret_cast<segue_slot*>(data + SEGUE_HEADER_BYTES);
    for (uint32_t i = 0; i < capacity; ++i) {
        slots[i].slot_number = i, slots[i].slot_position_samples = i * block, slots[i].slot_n_samples = block;
    }
}

static void spoil(uint8_t* data, Random& random, size_t from, size_t to) {
    const uint64_t word = word_of(random);
    const size_t bytes = random() % 2 ? 4 : 8;
    std::memcpy(data + from + random() % ((to - from) / 8) * 8, &word, bytes);
}

// What a reader without checks would do: the broken twin.
static float naive(const uint8_t* data) {
    const auto& id = reinterpret_cast<const segue_header*>(data)->identity;
    const auto* slots = reinterpret_cast<const segue_slot*>(data + id.slots_offset);
    const auto* audio = reinterpret_cast<const float*>(data + id.payload_offset);
    std::vector<float> out(block * channels);
    std::memcpy(out.data(), audio, slots[0].slot_n_samples * channels * sizeof(float));
    return out[0];
}

int main(int count, char** words) {
    if (count < 4) return 2;
    const long attaches = std::atol(words[1]), states = std::atol(words[2]);
    Random random(std::strtoull(words[3], nullptr, 10));
    long accepted = 0, seen = 0, not_finite = 0;
    std::string why, name = segment_name(getpid(), 1);
    auto segment = Segment::create(name, whole, why);
    if (!segment) return 3;
    std::vector<float> out(longest * channels);
    float sum = 0;
    for (long i = 0; i < attaches; ++i) {
        good(segment->data());
        for (uint64_t changes = random() % 4; changes; --changes) spoil(segment->data(), random, 0, SEGUE_HEADER_BYTES);
        if (count > 4) sum += naive(segment->data());
        auto reader = RingReader::attach(name, why);
        if (!reader) continue;
        ++accepted;
        int64_t position = static_cast<int64_t>(random() % 1024);
        for (long state = 0; state < states; ++state, ++seen) {
            spoil(segment->data(), random, 64, SEGUE_HEADER_BYTES + SEGUE_SLOT_BYTES * capacity);
            if (random() % 2) spoil(segment->data(), random, payload, whole);
            const int n = 1 + static_cast<int>(random() % longest);
            std::fill(out.begin(), out.end(), 0.0f);
            const Stretch got = reader->read(position, out.data(), n, static_cast<uint32_t>(random() % 3));
            if (got.begin < 0 || got.end > n || got.begin > got.end) ++not_finite;
            for (int at = 0; at < n * static_cast<int>(channels); ++at) not_finite += !std::isfinite(out[at]);
            reader->ahead(position);
            reader->publish(Transport{}, 0, n, 0, 0);
            position += random() % 8 ? n : static_cast<int64_t>(random() % 4096) - 2048;
        }
    }
    std::printf("%ld %ld %ld %ld\n", attaches, accepted, seen, not_finite);
    return sum == 12345.0f;
}
