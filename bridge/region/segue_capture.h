/* Made by `python -m bridge.region.capture c`; docs/capture.md says what the words mean. MIT. */
#ifndef SEGUE_CAPTURE_H
#define SEGUE_CAPTURE_H
#include <stdint.h>

#define SEGUE_CAPTURE_MAGIC 0x43474553u
#define SEGUE_CAPTURE_VERSION 1u
#define SEGUE_CAPTURE_PAYLOAD 4096u

typedef struct { /* written by: plugin, once */
    uint32_t magic;
    uint32_t version;
    uint64_t segment_bytes;
    uint32_t sample_rate_hz;
    uint32_t channels;
    uint64_t capacity_samples;
    uint32_t payload_offset;
    uint32_t host_pid;
    uint64_t created_ns;
    uint8_t capture_identity_spare[16];
} segue_capture_identity;

typedef struct { /* written by: plugin */
    uint32_t capture_state;
    uint32_t capture_number;
    uint64_t n_samples;
    int64_t position_samples;
    double start_beats;
    double tempo_bpm;
    uint32_t signature_numerator;
    uint32_t signature_denominator;
    uint8_t captured_spare[16];
} segue_captured;

typedef struct {
    segue_capture_identity identity;
    segue_captured captured;
} segue_capture_header;

#endif
