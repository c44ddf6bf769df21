// One query over the keys and values of one head: float32, bfloat16, or 8 bits with a scale for each channel.
//
// 8-bit ones are read with integer products: the query as 15 bits in two bytes, the weights as 16 bits in two, so that
// the error is that of the cache. Two passes: all scores, their softmax, then the values.
#pragma once

#include <cmath>

#include "vectors.h"

namespace segue {

constexpr int64_t MAX_WIDTH = 128;  // of a head; 64 with a cache of 8 bits
constexpr int64_t TILE = 256;       // positions whose weights share a scale

// Scores [count] of `query` (already scaled) with keys [count, width].
inline void scores_of(const float* keys, int64_t count, int64_t width, const float* query, float* scores) {
  for (int64_t at = 0; at < count; at += LANES) {
    const int64_t n = count - at < LANES ? count - at : LANES;
    __m512 sum[LANES];
    for (int64_t p = 0; p < LANES; ++p) {
      sum[p] = _mm512_setzero_ps();
      const float* key = keys + (at + (p < n ? p : 0)) * width;
      for (int64_t i = 0; i < width; i += LANES) {
        ask(key + i);
        sum[p] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(first(width - i), key + i), _mm512_loadu_ps(query + i), sum[p]);
      }
    }
    _mm512_storeu_ps(scores + at, sums(sum));
  }
}

// The same; within every 32 numbers of the query the even ones come first.
inline void scores_of(const uint16_t* keys, int64_t count, int64_t width, const float* query, float* scores) {
  const __m512i upper = _mm512_set1_epi32(int(0xffff0000));
  for (int64_t at = 0; at < count; at += LANES) {
    const int64_t n = count - at < LANES ? count - at : LANES;
    __m512 sum[LANES];
    for (int64_t p = 0; p < LANES; ++p) {
      sum[p] = _mm512_setzero_ps();
      const uint16_t* key = keys + (at + (p < n ? p : 0)) * width;
      for (int64_t i = 0; i < width; i += 32) {
        ask(key + i);
        const __m512i pairs = _mm512_maskz_loadu_epi16(first32(width - i), key + i);
        const __m512 even = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
        const __m512 odd = _mm512_castsi512_ps(_mm512_and_si512(pairs, upper));
        sum[p] = _mm512_fmadd_ps(even, _mm512_loadu_ps(query + i), sum[p]);
        sum[p] = _mm512_fmadd_ps(odd, _mm512_loadu_ps(query + i + 16), sum[p]);
      }
    }
    _mm512_storeu_ps(scores + at, sums(sum));
  }
}

// The same for 8-bit keys; the query includes their channels' scales and has zeros after its width.
inline void scores_of(const int8_t* keys, int64_t count, int64_t width, const float* query, float* scores) {
  const __mmask64 mask = first64(width);
  __m512 most = _mm512_setzero_ps();
  for (int64_t i = 0; i < 64; i += LANES) most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_loadu_ps(query + i)));
  const float largest = _mm512_reduce_max_ps(most);
  const float unit = largest > 0.0f ? largest / 16256.0f : 1.0f;  // 127 * 128
  alignas(64) int8_t high[64], low[64];
  __m512i total = _mm512_setzero_si512();
  for (int64_t i = 0; i < 64; i += LANES) {
    const __m512i code = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(query + i), _mm512_set1_ps(1.0f / unit)));
    const __m512i upper = _mm512_srai_epi32(add(code, _mm512_set1_epi32(64)), 7);
    _mm_store_si128(reinterpret_cast<__m128i*>(high + i), _mm512_cvtepi32_epi8(upper));
    _mm_store_si128(reinterpret_cast<__m128i*>(low + i),
                    _mm512_cvtepi32_epi8(_mm512_sub_epi32(code, _mm512_slli_epi32(upper, 7))));
    total = add(total, code);
  }
  const __m512i highs = _mm512_load_si512(high), lows = _mm512_load_si512(low), flip = _mm512_set1_epi8(-128);
  const __m512i offset = _mm512_set1_epi32(-128 * _mm512_reduce_add_epi32(total));
  const __m512 scale = _mm512_set1_ps(unit);
  for (int64_t at = 0; at < count; at += LANES) {
    const int64_t n = count - at < LANES ? count - at : LANES;
    __m512i sum[LANES];
    for (int64_t p = 0; p < LANES; ++p) {
      const int8_t* key = keys + (at + (p < n ? p : 0)) * width;
      ask(key);
      const __m512i codes = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, key), flip);
      const __m512i upper = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes, highs);
      sum[p] = _mm512_dpbusd_epi32(_mm512_slli_epi32(upper, 7), codes, lows);
    }
    _mm512_storeu_ps(scores + at, _mm512_mul_ps(_mm512_cvtepi32_ps(add(sums(sum), offset)), scale));
  }
}

// Scores to e^(score - largest), zeros after `count` up to whole lanes; returns their sum.
inline float to_weights(float* scores, int64_t count) {
  __m512 most = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < count; i += LANES)
    most = _mm512_max_ps(most, _mm512_mask_loadu_ps(most, first(count - i), scores + i));
  const __m512 largest = _mm512_set1_ps(_mm512_reduce_max_ps(most));
  for (int64_t i = 0; i < count; i += LANES) {
    const __m512 below = _mm512_sub_ps(_mm512_loadu_ps(scores + i), largest);
    const __m512 weight = _mm512_maskz_mov_ps(first(count - i), exp(below));
    _mm512_storeu_ps(scores + i, weight);
    sum = add(sum, weight);
  }
  return _mm512_reduce_add_ps(sum);
}

// seen [width up to whole lanes] = weights times values [count, width], each weight multiplied by `scale`.
inline void sum_of(const float* values, int64_t count, int64_t width, const float* weights, float scale, float* seen) {
  for (int64_t i = 0; i < width; i += 64) {
    __m512 sum[4] = {};
    for (int64_t p = 0; p < count; ++p)
      for (int64_t j = 0; j < 4; ++j) {
        const int64_t d = i + 16 * j;
        ask(values + p * width + d);
        const __m512 value = _mm512_maskz_loadu_ps(first(width - d), values + p * width + d);
        sum[j] = _mm512_fmadd_ps(_mm512_set1_ps(weights[p]), value, sum[j]);
      }
    for (int64_t j = 0; j < 4; ++j)
      _mm512_mask_storeu_ps(seen + i + 16 * j, first(width - i - 16 * j), _mm512_mul_ps(sum[j], _mm512_set1_ps(scale)));
  }
}

inline void sum_of(const uint16_t* values, int64_t count, int64_t width, const float* weights, float scale,
                   float* seen) {
  const __m512i upper = _mm512_set1_epi32(int(0xffff0000));
  for (int64_t i = 0; i < width; i += 64) {
    __m512 sum[4] = {};
    for (int64_t p = 0; p < count; ++p)
      for (int64_t j = 0; j < 2; ++j) {
        ask(values + p * width + i + 32 * j);
        const __m512i pairs = _mm512_maskz_loadu_epi16(first32(width - i - 32 * j), values + p * width + i + 32 * j);
        const __m512 weight = _mm512_set1_ps(weights[p]);
        sum[2 * j] = _mm512_fmadd_ps(weight, _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)), sum[2 * j]);
        sum[2 * j + 1] = _mm512_fmadd_ps(weight, _mm512_castsi512_ps(_mm512_and_si512(pairs, upper)), sum[2 * j + 1]);
      }
    for (int64_t j = 0; j < 4; ++j) {
      alignas(64) float part[LANES];
      _mm512_store_ps(part, _mm512_mul_ps(sum[j], _mm512_set1_ps(scale)));
      for (int64_t e = 0; e < LANES; ++e) {
        const int64_t d = i + 32 * (j / 2) + 2 * e + j % 2;
        if (d < width) seen[d] = part[e];
      }
    }
  }
}

// Four rows of 64 bytes to 64 groups of four: group 4 j + e of lane l is channel 16 l + 4 j + e.
inline void interleaved(const __m512i row[4], __m512i group[4]) {
  const __m512i a = _mm512_unpacklo_epi8(row[0], row[1]), b = _mm512_unpackhi_epi8(row[0], row[1]);
  const __m512i c = _mm512_unpacklo_epi8(row[2], row[3]), d = _mm512_unpackhi_epi8(row[2], row[3]);
  group[0] = _mm512_unpacklo_epi16(a, c);
  group[1] = _mm512_unpackhi_epi16(a, c);
  group[2] = _mm512_unpacklo_epi16(b, d);
  group[3] = _mm512_unpackhi_epi16(b, d);
}

// Weights of up to TILE positions as two bytes each, the largest 65535; returns the value of one unit.
inline float to_bytes(const float* weights, int64_t count, uint8_t* high, uint8_t* low) {
  __m512 most = _mm512_setzero_ps();
  for (int64_t i = 0; i < count; i += LANES)
    most = _mm512_max_ps(most, _mm512_maskz_loadu_ps(first(count - i), weights + i));
  const float largest = _mm512_reduce_max_ps(most);
  const __m512 inverse = _mm512_set1_ps(largest > 0.0f ? 65535.0f / largest : 0.0f);
  for (int64_t i = 0; i < count; i += LANES) {
    const __m512 weight = _mm512_maskz_loadu_ps(first(count - i), weights + i);
    const __m512i code = _mm512_cvtps_epi32(_mm512_mul_ps(weight, inverse));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(high + i), _mm512_cvtepi32_epi8(_mm512_srli_epi32(code, 8)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(low + i), _mm512_cvtepi32_epi8(code));
  }
  return largest / 65535.0f;
}

inline void sum_of(const int8_t* values, int64_t count, int64_t width, const float* weights, float scale, float* seen) {
  const __mmask64 mask = first64(width);
  alignas(64) uint8_t high[TILE], low[TILE];
  __m512 total[4] = {};
  for (int64_t at = 0; at < count; at += TILE) {
    const int64_t n = count - at < TILE ? count - at : TILE;
    const __m512 worth = _mm512_set1_ps(to_bytes(weights + at, n, high, low));
    __m512i highs[4] = {}, lows[4] = {};
    for (int64_t p = 0; p < n; p += 4) {
      __m512i row[4], group[4];
      for (int64_t q = 0; q < 4; ++q) {
        const int8_t* value = values + (at + p + q) * width;
        ask(value);
        row[q] = p + q < n ? _mm512_maskz_loadu_epi8(mask, value) : _mm512_setzero_si512();
      }
      interleaved(row, group);
      int32_t upper, lower;
      __builtin_memcpy(&upper, high + p, 4);
      __builtin_memcpy(&lower, low + p, 4);
      for (int64_t j = 0; j < 4; ++j) {
        highs[j] = _mm512_dpbusd_epi32(highs[j], _mm512_set1_epi32(upper), group[j]);
        lows[j] = _mm512_dpbusd_epi32(lows[j], _mm512_set1_epi32(lower), group[j]);
      }
    }
    for (int64_t j = 0; j < 4; ++j)
      total[j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(add(_mm512_slli_epi32(highs[j], 8), lows[j])), worth, total[j]);
  }
  alignas(64) float part[64];
  for (int64_t j = 0; j < 4; ++j) {
    const __m512 sum = _mm512_mul_ps(total[j], _mm512_set1_ps(scale));
    _mm_store_ps(part + 4 * j, _mm512_extractf32x4_ps(sum, 0));
    _mm_store_ps(part + 16 + 4 * j, _mm512_extractf32x4_ps(sum, 1));
    _mm_store_ps(part + 32 + 4 * j, _mm512_extractf32x4_ps(sum, 2));
    _mm_store_ps(part + 48 + 4 * j, _mm512_extractf32x4_ps(sum, 3));
  }
  __builtin_memcpy(seen, part, size_t(width) * sizeof(float));
}

// seen [width] = softmax(query keys) values. `query` has MAX_WIDTH numbers, zeros after the width; `scores` has room
// for `count` up to whole lanes.
template <class T>
void attend(const T* keys, const T* values, int64_t count, int64_t width, const float* query, float* scores,
            float* seen) {
  scores_of(keys, count, width, query, scores);
  const float sum = to_weights(scores, count);
  sum_of(values, count, width, scores, 1.0f / sum, seen);
}

}  // namespace segue
