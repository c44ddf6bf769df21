// A product's input in the form that its matrix reads: floats, separated floats, or codes of 8 bits with a scale for
// each block.
#pragma once

#include "products.h"

namespace segue {

inline int64_t padded(const Matrix& m) { return m.kind >= INT8 ? m.k : rounded_up(m.k, 64); }

// Move the even ones of every 32 numbers to the front, in place; `x` has room for whole groups.
inline void halves_apart(float* x, int64_t width) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  for (int64_t i = 0; i < width; i += 32) {
    const __m512 low = _mm512_loadu_ps(x + i), high = _mm512_loadu_ps(x + i + 16);
    _mm512_storeu_ps(x + i, _mm512_permutex2var_ps(low, even, high));
    _mm512_storeu_ps(x + i + 16, _mm512_permutex2var_ps(low, odd, high));
  }
}

// A row to codes from -127 to 127, each block scaled by its largest number. Blocks are multiples of 16.
inline void to_codes(const float* x, int64_t width, int64_t block, int zero, int8_t* codes, float* scales,
                     int32_t* offsets) {
  for (int64_t b = 0; b < width / block; ++b, x += block, codes += block) {
    __m512 most = _mm512_setzero_ps();
    for (int64_t i = 0; i < block; i += LANES) most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_loadu_ps(x + i)));
    const float largest = _mm512_reduce_max_ps(most);
    const __m512 inverse = _mm512_set1_ps(largest > 0.0f ? 127.0f / largest : 0.0f);
    __m512i sum = _mm512_setzero_si512();
    for (int64_t i = 0; i < block; i += LANES) {
      const __m512i code = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + i), inverse));
      sum = add(sum, code);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + i), _mm512_cvtsepi32_epi8(code));
    }
    scales[b] = largest / 127.0f;
    offsets[b] = -zero * _mm512_reduce_add_epi32(sum);
  }
}

// Prepare rows of floats [rows, source_stride] for `m`, after LayerNorm if there is one.
inline void make_input(const Matrix& m, const float* source, int64_t source_stride, int64_t rows, const Norm* norm,
                       Input& in) {
  in.stride = padded(m);
  for (int64_t r = 0; r < rows; ++r) {
    float* x = in.x + r * in.stride;
    const float* from = source + r * source_stride;
    if (norm) {
      layer_norm(from, norm->weight, norm->bias, m.k, float(norm->eps), x);
      from = x;
    }
    if (m.kind >= INT8) {
      const int64_t at = r * (in.stride / m.block);
      const int zero = m.kind == INT8 ? 128 : 8;
      to_codes(from, m.k, m.block, zero, in.codes + r * in.stride, in.scales + at, in.offsets + at);
      continue;
    }
    if (!norm) __builtin_memcpy(x, from, size_t(m.k) * sizeof(float));
    __builtin_memset(x + m.k, 0, size_t(in.stride - m.k) * sizeof(float));
    if (m.kind == BFLOAT16) halves_apart(x, in.stride);
  }
}

}  // namespace segue
