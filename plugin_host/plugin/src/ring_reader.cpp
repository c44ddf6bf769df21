// The host's side of a ring: see ring_reader.hpp and docs/shared_memory.md. MIT.
#include "ring_reader.hpp"

#include "sequence_lock.hpp"

#include <algorithm>
#include <cstring>
#include <unistd.h>

namespace segue {

namespace {

constexpr uint64_t heartbeat_limit_ns = 500000000u;
constexpr int drops_max = 1024;
constexpr uint32_t seeks_ahead_max = 1024;
constexpr float loudest_energy = 1e30f;
constexpr double gain_max = 8.0;

std::string number(const char* name, uint64_t value) { return std::string(name) + " is " + std::to_string(value); }

// Check the identity against the limits and the mapping's true size; returns the fault, or empty.
std::string form_fault(const segue_header& head, size_t bytes) {
    const segue_identity& id = head.identity;
    if (id.magic != SEGUE_MAGIC) return "it is not a Segue ring";
    if (id.version != SEGUE_VERSION) return number("its layout version", id.version) + ", this plugin reads 1";
    if (id.sample_rate_hz < 8000 || id.sample_rate_hz > 384000) return number("sample_rate_hz", id.sample_rate_hz);
    if (id.channels < 1 || id.channels > 8) return number("channels", id.channels);
    if (id.block_samples < 16 || id.block_samples > 8192) return number("block_samples", id.block_samples);
    uint32_t capacity = id.capacity_blocks;
    if (capacity < 4 || capacity > 65536 || (capacity & (capacity - 1))) return number("capacity_blocks", capacity);
    uint64_t payload = (SEGUE_HEADER_BYTES + uint64_t(SEGUE_SLOT_BYTES) * capacity + 4095) / 4096 * 4096;
    uint64_t whole = payload + uint64_t(4) * id.channels * id.block_samples * capacity;
    if (id.slots_offset != SEGUE_HEADER_BYTES) return number("slots_offset", id.slots_offset);
    if (id.payload_offset != payload) return number("payload_offset", id.payload_offset);
    if (id.segment_bytes != whole) return number("segment_bytes", id.segment_bytes);
    if (bytes < whole) return "it is smaller than it says";
    return "";
}

// Positions from outside, limited so that their sums do not overflow; "endless" is at the limit.
constexpr int64_t far = int64_t(1) << 61;
int64_t near(int64_t position) { return std::min(std::max(position, -far), far); }

}  // namespace

std::unique_ptr<RingReader> RingReader::attach(const std::string& name, std::string& why) {
    auto segment = Segment::attach(name, SEGUE_HEADER_BYTES, why);
    if (!segment) return nullptr;
    auto& head = *reinterpret_cast<segue_header*>(segment->data());
    acquired(head.identity.magic);
    why = form_fault(head, segment->bytes());
    if (!why.empty()) {
        why = name + ": " + why;
        return nullptr;
    }
    uint32_t owner = acquired(head.reader.host_pid);
    if (owner != 0 && owner != static_cast<uint32_t>(getpid()) && pid_alive(owner)) {
        why = name + " is read by process " + std::to_string(owner) + " already";
        return nullptr;
    }
    release(head.reader.host_pid, getpid());
    segment->populate();
    return std::unique_ptr<RingReader>(new RingReader(std::move(segment)));
}

RingReader::RingReader(std::unique_ptr<Segment> segment) : segment_(std::move(segment)) {
    const segue_identity& id = header()->identity;
    rate_ = id.sample_rate_hz;
    channels_ = id.channels;
    block_samples_ = id.block_samples;
    capacity_ = id.capacity_blocks;
    payload_offset_ = id.payload_offset;
    engine_pid_ = id.engine_pid;
    created_ns_ = id.created_ns;
    engine_seen_ = pid_alive(engine_pid_);
    next_ = acquired(header()->reader.blocks_read);
}

RingReader::~RingReader() {
    if (!segment_->cut() && relaxed(header()->reader.host_pid) == static_cast<uint32_t>(getpid()))
        release(header()->reader.host_pid, 0);
}

bool RingReader::slot(uint64_t number, Slot& found) const {
    auto* slots = reinterpret_cast<segue_slot*>(segment_->data() + SEGUE_HEADER_BYTES);
    const segue_slot& at = slots[number & (capacity_ - 1)];
    uint32_t n = relaxed(at.slot_n_samples);
    if (relaxed(at.slot_number) != number || n == 0 || n > block_samples_) return false;
    found = {near(relaxed(at.slot_position_samples)), relaxed(at.slot_generation), relaxed(at.slot_timeline),
             static_cast<int>(n)};
    return true;
}

const float* RingReader::audio(uint64_t number) const {
    auto* payload = reinterpret_cast<const float*>(segment_->data() + payload_offset_);
    return payload + (number & (capacity_ - 1)) * size_t(block_samples_) * channels_;
}

Stretch RingReader::read(int64_t position, float* out, int n, uint32_t seek_id) {
    const int64_t last = position + n;
    look();
    const uint64_t published = written();
    int64_t begin = -1, cursor = position;
    bool any = false;
    int drops = 0;
    uint64_t at = next_;
    for (; at < published && drops < drops_max; ++at, begun_ = false) {
        Slot found{};
        const bool whole = slot(at, found);
        const int count = whole ? usable(found, seek_id) : 0;
        counters->broken_blocks += !whole;
        if (count < 0 && !out_of_order(found, seek_id, published)) break;
        if (count < 0) ++counters->broken_blocks;
        if (count <= 0 || found.start + count <= cursor) {
            if (count > 0 && !begun_) ++counters->late_blocks;
            ++drops;
            continue;
        }
        const int64_t first = std::max(found.start, cursor), end = std::min(found.start + count, last);
        if (found.start >= last || (any && first > cursor)) break;
        const float* block = audio(at) + (first - found.start) * channels_;
        const size_t floats = static_cast<size_t>(end - first) * channels_;
        if (copy(block, out + (first - position) * channels_, floats)) {
            if (!any) begin = first;
            any = true;
            cursor = end;
        } else {
            ++counters->broken_blocks;
        }
        if (found.start + count > last) {
            begun_ = true;
            break;
        }
        ++counters->blocks;
    }
    give_back(at);
    if (!any) return {};
    return {static_cast<int>(begin - position), static_cast<int>(cursor - position)};
}

// Samples of a block to use: 0 drops it, -1 leaves it for a later seek id.
int RingReader::usable(const Slot& found, uint32_t seek_id) {
    const bool overtaken = found.plan_revision < plan_.plan_revision && plan_.seek_id == seek_id;
    int64_t n = found.n;
    if (found.seek_id > seek_id && !overtaken) return -1;
    if (overtaken) {
        const bool here = found.seek_id == seek_id;
        n = here ? std::min<int64_t>(n, std::max<int64_t>(plan_.from_samples - found.start, 0)) : 0;
    }
    if (found.seek_id < seek_id || n == 0) {
        ++counters->stale_blocks;
        return 0;
    }
    return static_cast<int>(n);
}

// Whether a block for a later seek id can never be played: too far ahead, or present music follows it. An engine
// writes the seek ids of one plan revision in order.
bool RingReader::out_of_order(const Slot& found, uint32_t seek_id, uint64_t published) const {
    if (found.seek_id - seek_id > seeks_ahead_max) return true;
    Slot newest{};
    return slot(published - 1, newest) && newest.plan_revision == found.plan_revision && newest.seek_id <= seek_id;
}

// Copy a block, limited to +-loudest; false, and nothing copied, if a sample is not finite.
bool RingReader::copy(const float* block, float* out, size_t floats) const {
    float energy = 0;
    for (size_t i = 0; i < floats; ++i) energy += block[i] * block[i];
    if (!(energy < loudest_energy)) return false;  // NaN too
    if (energy <= loudest * loudest) {
        if (floats) std::memcpy(out, block, floats * sizeof(float));
    } else {
        for (size_t i = 0; i < floats; ++i) out[i] = std::min(std::max(block[i], -loudest), loudest);
    }
    return true;
}

uint64_t RingReader::written() {
    const uint64_t published = acquired(header()->writer.blocks_written);
    if (published >= next_ && published - next_ <= capacity_) return published;
    ++counters->broken_blocks;
    next_ = published;
    release(header()->reader.blocks_read, published);
    return published;
}

void RingReader::give_back(uint64_t number) {
    next_ = number;
    if (number != relaxed(header()->reader.blocks_read)) release(header()->reader.blocks_read, number);
}

int64_t RingReader::ahead(int64_t position) const {
    if (next_ >= acquired(header()->writer.blocks_written)) return 0;
    const int64_t reach = near(acquired(header()->writer.written_end_samples)) - position;
    return std::min<int64_t>(std::max<int64_t>(reach, 0), int64_t(block_samples_) * capacity_);
}

const Plan& RingReader::look() {
    const segue_plan& plan = header()->plan;
    Plan found;
    if (read_locked(plan.plan_sequence, plan_sequence_, [&] {
            found = {relaxed(plan.plan_generation), (relaxed(plan.plan_flags) & 1) != 0,
                     near(relaxed(plan.plan_from_samples)), near(relaxed(plan.plan_start_samples)),
                     near(relaxed(plan.plan_end_samples)), relaxed(plan.plan_timeline)};
        }))
        plan_ = found;
    look_at_fader();
    return plan_;
}

// Invalid words are ignored.
void RingReader::look_at_fader() {
    const segue_fader& fader = header()->fader;
    const auto change = [](const int64_t& position, const double& gain) {
        const int64_t at = relaxed(position);
        return Fader::Change{at == SEGUE_ENDLESS ? at : near(at), relaxed(gain)};
    };
    Fader found;
    if (!read_locked(fader.fader_sequence, fader_sequence_, [&] {
            found = {true, relaxed(fader.fader_gain),
                     {change(fader.fader_1_samples, fader.fader_1_gain), change(fader.fader_2_samples, fader.fader_2_gain),
                      change(fader.fader_3_samples, fader.fader_3_gain)},
                     relaxed(fader.fader_timeline)};
        }))
        return;
    bool sense = found.gain >= 0 && found.gain <= gain_max;
    for (const Fader::Change& each : found.changes)
        sense &= each.position == SEGUE_ENDLESS || (each.gain >= 0 && each.gain <= gain_max);
    if (sense) fader_ = found;
}

void RingReader::publish(const Transport& transport, uint32_t seek_id, int block_samples, uint64_t underruns,
                         uint64_t missed_samples) {
    segue_transport& block = header()->transport;
    const uint64_t now_ns = monotonic_ns();
    const Grid& grid = transport.grid;
    write_locked(block.transport_sequence, [&] {
        put(block.transport_flags, (transport.playing ? 1u : 0u) | (transport.looping ? 2u : 0u) |
                                       (transport.recording ? 4u : 0u));
        put(block.transport_timeline, seek_id);
        put(block.host_block_samples, block_samples);
        put(block.position_samples, transport.position_samples);
        put(block.transport_written_ns, now_ns);
        put(block.tempo_bpm, grid.tempo_bpm);
        put(block.position_beats, static_cast<double>(grid.beats_at(transport.position_samples)));
        put(block.anchor_samples, grid.anchor_samples);
        put(block.anchor_beats, grid.anchor_beats);
        put(block.signature_numerator, grid.numerator);
        put(block.signature_denominator, grid.denominator);
        put(block.bar_origin_beats, grid.bar_origin_beats);
        put(block.loop_start_beats, transport.looping ? transport.loop_start_beats : 0.0);
        put(block.loop_end_beats, transport.looping ? transport.loop_end_beats : 0.0);
    });
    segue_reader& reader = header()->reader;
    put(reader.host_heartbeat_ns, now_ns);
    put(reader.underruns, underruns);
    put(reader.underrun_samples, missed_samples);
    put(reader.late_blocks, counters->late_blocks);
    put(reader.stale_blocks, counters->stale_blocks);
}

bool RingReader::engine_ended() const { return engine_seen_ && !pid_alive(engine_pid_); }

bool RingReader::is_ring(const std::string& name) const {
    std::string why;
    auto other = name == this->name() ? Segment::attach(name, SEGUE_HEADER_BYTES, why) : nullptr;
    if (!other) return false;
    const segue_identity& id = reinterpret_cast<const segue_header*>(other->data())->identity;
    return id.engine_pid == engine_pid_ && id.created_ns == created_ns_;
}

bool RingReader::engine_alive() const {
    const segue_writer& writer = header()->writer;
    const uint64_t beat = acquired(writer.engine_heartbeat_ns), now = monotonic_ns();
    return acquired(writer.engine_state) != 2 && (now <= beat || now - beat <= heartbeat_limit_ns);
}

}  // namespace segue
