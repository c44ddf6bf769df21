// Products of a few rows with a weight matrix, at the speed of reading the matrix from memory.
//
// Floats are read in place, row by row. Codes have the layout of tiles.py, in tiles of 16 outputs:
// for each block of inputs its lines (64 bytes: 16 outputs x 4 inputs; with 4 bits the low halves are four inputs, the
// high halves the next four), then a line of 16 scales.
#pragma once

#include "model.h"
#include "vectors.h"

namespace segue {

// A product's input: rows of floats (for bfloat16 weights 16 even ones, then 16 odd ones), or of 8-bit codes with a
// scale for each block.
struct Input {
  float* x;          // [rows, stride]
  int8_t* codes;     // [rows, stride]
  float* scales;     // [rows, stride / block]
  int32_t* offsets;  // [rows, stride / block]: -zero times the block's sum
  int64_t stride;
};

template <int R>
void float_rows(const float* w, int64_t n, int64_t k, const float* x, int64_t stride, float* y, int64_t y_stride) {
  const int64_t whole = k / 64 * 64;
  for (int64_t row = 0; row < n; ++row, w += k) {
    __m512 total[R][4];
    for (int r = 0; r < R; ++r)
      for (int j = 0; j < 4; ++j) total[r][j] = _mm512_setzero_ps();
    for (int64_t i = 0; i < whole; i += 64)
      for (int j = 0; j < 4; ++j) {
        ask(w + i + 16 * j);
        const __m512 part = _mm512_loadu_ps(w + i + 16 * j);
        for (int r = 0; r < R; ++r)
          total[r][j] = _mm512_fmadd_ps(part, _mm512_loadu_ps(x + r * stride + i + 16 * j), total[r][j]);
      }
    for (int64_t i = whole; i < k; i += 16) {
      const __m512 part = _mm512_maskz_loadu_ps(first(k - i), w + i);
      for (int r = 0; r < R; ++r) total[r][0] = _mm512_fmadd_ps(part, _mm512_loadu_ps(x + r * stride + i), total[r][0]);
    }
    for (int r = 0; r < R; ++r)
      y[r * y_stride + row] =
          _mm512_reduce_add_ps(add(add(total[r][0], total[r][1]), add(total[r][2], total[r][3])));
  }
}

// `x` in the order of `halves_apart`: a bfloat16 is the upper half of a float.
template <int R>
void half_rows(const uint16_t* w, int64_t n, int64_t k, const float* x, int64_t stride, float* y, int64_t y_stride) {
  const __m512i upper = _mm512_set1_epi32(int(0xffff0000));
  const int64_t whole = k / 64 * 64;
  for (int64_t row = 0; row < n; ++row, w += k) {
    __m512 total[R][4];
    for (int r = 0; r < R; ++r)
      for (int j = 0; j < 4; ++j) total[r][j] = _mm512_setzero_ps();
    const auto take = [&](__m512i pairs, int64_t i, int j) {
      const __m512 even = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
      const __m512 odd = _mm512_castsi512_ps(_mm512_and_si512(pairs, upper));
      for (int r = 0; r < R; ++r) {
        total[r][j] = _mm512_fmadd_ps(even, _mm512_loadu_ps(x + r * stride + i), total[r][j]);
        total[r][j + 1] = _mm512_fmadd_ps(odd, _mm512_loadu_ps(x + r * stride + i + 16), total[r][j + 1]);
      }
    };
    for (int64_t i = 0; i < whole; i += 64)
      for (int j = 0; j < 2; ++j) {
        ask(w + i + 32 * j);
        take(_mm512_loadu_si512(w + i + 32 * j), i + 32 * j, 2 * j);
      }
    for (int64_t i = whole; i < k; i += 32) take(_mm512_maskz_loadu_epi16(first32(k - i), w + i), i, 0);
    for (int r = 0; r < R; ++r)
      y[r * y_stride + row] =
          _mm512_reduce_add_ps(add(add(total[r][0], total[r][1]), add(total[r][2], total[r][3])));
  }
}

inline __m512i four(const int8_t* codes) {
  int32_t value;
  __builtin_memcpy(&value, codes, 4);
  return _mm512_set1_epi32(value);
}

// Tiles of 16 outputs from codes of 8 or 4 bits.
template <int R, int BITS>
void code_tiles(const uint8_t* w, int64_t tiles, int64_t blocks, int64_t block, const Input& in,
                int64_t first_row, float* y, int64_t y_stride) {
  const __m512i low = _mm512_set1_epi8(15);
  const int64_t per_line = BITS == 8 ? 4 : 8, in_blocks = in.stride / block;
  const int8_t* codes = in.codes + first_row * in.stride;
  const float* in_scales = in.scales + first_row * in_blocks;
  const int32_t* offsets = in.offsets + first_row * in_blocks;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    __m512 total[R];
    for (int r = 0; r < R; ++r) total[r] = _mm512_setzero_ps();
    for (int64_t b = 0; b < blocks; ++b) {
      __m512i sum[R][2];
      for (int r = 0; r < R; ++r) {
        sum[r][0] = _mm512_set1_epi32(offsets[r * in_blocks + b]);
        sum[r][1] = _mm512_setzero_si512();
      }
      const int8_t* x = codes + b * block;
      for (int64_t i = 0; i < block; i += 2 * per_line, w += 128)
        for (int j = 0; j < 2; ++j) {
          ask(w + 64 * j);
          const __m512i line = _mm512_loadu_si512(w + 64 * j);
          for (int r = 0; r < R; ++r) {
            const int8_t* at = x + r * in.stride + i + j * per_line;
            if constexpr (BITS == 8) {
              sum[r][j] = _mm512_dpbusd_epi32(sum[r][j], line, four(at));
            } else {
              sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], _mm512_and_si512(line, low), four(at));
              sum[r][1] =
                  _mm512_dpbusd_epi32(sum[r][1], _mm512_and_si512(_mm512_srli_epi16(line, 4), low), four(at + 4));
            }
          }
        }
      ask(w);
      const __m512 scale = _mm512_castsi512_ps(_mm512_loadu_si512(w));
      w += 64;
      for (int r = 0; r < R; ++r)
        total[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(add(sum[r][0], sum[r][1])),
                                   _mm512_mul_ps(scale, _mm512_set1_ps(in_scales[r * in_blocks + b])), total[r]);
    }
    for (int r = 0; r < R; ++r) _mm512_storeu_ps(y + r * y_stride + tile * LANES, total[r]);
  }
}

// y [rows, y_stride] = outputs `from` to `to` of a matrix, for R rows from `row` on. `from` is a multiple of 16.
template <int R>
void some_rows(const Matrix& m, const Input& in, int64_t row, int64_t from, int64_t to, float* y, int64_t y_stride) {
  const float* x = in.x + row * in.stride;
  if (m.kind == FLOAT32) {
    float_rows<R>(static_cast<const float*>(m.data) + from * m.k, to - from, m.k, x, in.stride, y, y_stride);
  } else if (m.kind == BFLOAT16) {
    half_rows<R>(static_cast<const uint16_t*>(m.data) + from * m.k, to - from, m.k, x, in.stride, y, y_stride);
  } else {
    const int64_t blocks = m.k / m.block, tile = from / LANES, tiles = rounded_up(to - from, LANES) / LANES;
    const int64_t lines = m.block / (m.kind == INT8 ? 4 : 8) + 1;
    const auto* data = static_cast<const uint8_t*>(m.data) + tile * blocks * lines * 64;
    if (m.kind == INT8)
      code_tiles<R, 8>(data, tiles, blocks, m.block, in, row, y, y_stride);
    else
      code_tiles<R, 4>(data, tiles, blocks, m.block, in, row, y, y_stride);
  }
}

// The same for any number of rows: up to four read the matrix together. `y` has room for whole tiles.
inline void product(const Matrix& m, const Input& in, int64_t rows, int64_t from, int64_t to, float* y,
                    int64_t y_stride) {
  for (int64_t row = 0; row < rows; row += 4, y += 4 * y_stride) switch (rows - row) {
      case 1: some_rows<1>(m, in, row, from, to, y, y_stride); break;
      case 2: some_rows<2>(m, in, row, from, to, y, y_stride); break;
      case 3: some_rows<3>(m, in, row, from, to, y, y_stride); break;
      default: some_rows<4>(m, in, row, from, to, y, y_stride);
    }
}

}  // namespace segue
