/* Made by `python -m bridge.ring.layout c`; docs/shared_memory.md says what the words mean. MIT. */
#ifndef SEGUE_RING_H
#define SEGUE_RING_H
#include <stdint.h>

#define SEGUE_MAGIC 0x52474553u
#define SEGUE_VERSION 1u
#define SEGUE_HEADER_BYTES 512u
#define SEGUE_SLOT_BYTES 32u
#define SEGUE_ENDLESS INT64_MAX

typedef struct { /* written by: engine, once */
    uint32_t magic;
    uint32_t version;
    uint64_t segment_bytes;
    uint32_t sample_rate_hz;
    uint32_t channels;
    uint32_t block_samples;
    uint32_t capacity_blocks;
    uint32_t slots_offset;
    uint32_t payload_offset;
    uint32_t lane;
    uint32_t engine_pid;
    uint64_t created_ns;
    uint8_t identity_spare[8];
} segue_identity;

typedef struct { /* written by: engine */
    uint64_t blocks_written;
    uint64_t engine_heartbeat_ns;
    int64_t written_end_samples;
    uint32_t engine_state;
    uint8_t writer_spare[36];
} segue_writer;

typedef struct { /* written by: engine */
    uint32_t plan_sequence;
    uint32_t plan_generation;
    uint32_t plan_timeline;
    uint32_t plan_flags;
    int64_t plan_from_samples;
    int64_t plan_start_samples;
    int64_t plan_end_samples;
    uint8_t plan_spare[24];
} segue_plan;

typedef struct { /* written by: host */
    uint64_t blocks_read;
    uint64_t host_heartbeat_ns;
    uint64_t underruns;
    uint64_t underrun_samples;
    uint64_t late_blocks;
    uint64_t stale_blocks;
    uint32_t host_pid;
    uint8_t reader_spare[12];
} segue_reader;

typedef struct { /* written by: host */
    uint32_t transport_sequence;
    uint32_t transport_flags;
    uint32_t transport_timeline;
    uint32_t host_block_samples;
    int64_t position_samples;
    uint64_t transport_written_ns;
    double tempo_bpm;
    double position_beats;
    int64_t anchor_samples;
    double anchor_beats;
    uint32_t signature_numerator;
    uint32_t signature_denominator;
    double bar_origin_beats;
    double loop_start_beats;
    double loop_end_beats;
    uint8_t transport_spare[32];
} segue_transport;

typedef struct { /* written by: engine */
    uint32_t fader_sequence;
    uint32_t fader_timeline;
    double fader_gain;
    int64_t fader_1_samples;
    double fader_1_gain;
    int64_t fader_2_samples;
    double fader_2_gain;
    int64_t fader_3_samples;
    double fader_3_gain;
} segue_fader;

typedef struct { /* written by: engine */
    uint64_t slot_number;
    int64_t slot_position_samples;
    uint32_t slot_generation;
    uint32_t slot_timeline;
    uint32_t slot_n_samples;
    uint8_t slot_spare[4];
} segue_slot;

typedef struct {
    segue_identity identity;
    segue_writer writer;
    segue_plan plan;
    segue_reader reader;
    segue_transport transport;
    segue_fader fader;
    uint8_t spare[64];
} segue_header;

#endif
