// The structures that Python passes, field by field as in `engine.lm.executors.native.library`. Nothing here is owned.
#pragma once

#include <cstdint>

namespace segue {

enum Kind : int64_t { FLOAT32 = 0, BFLOAT16 = 1, INT8 = 2, INT4 = 3 };

// A weight [n, k]: floats row by row, or codes with their scales in tiles of 16 outputs, see products.h.
struct Matrix {
  int64_t kind, n, k, block;
  const void* data;
};

struct Norm {
  const float *weight, *bias;
  double eps;
};

struct Layer {
  Norm norm1, norm_cross, norm2;
  Matrix qkv, out, query, cross_out, widen, narrow;
};

struct Model {
  int64_t dim, heads, layers, codebooks, card, ffn;
  const float* const* tables;  // [codebooks] of [card + 1, dim]
  const Layer* layer;          // [layers]
  Norm out_norm;
  const Matrix* logits;  // [codebooks] of [card, dim]
};

// `rows` of a window's `all_rows`, with its cache [layers, 2, all_rows, heads, capacity, dim / heads] and memory from
// the first of these rows on.
struct State {
  int64_t rows, all_rows, capacity, memory, cache_kind, known_steps;
  void* cache;
  const float* scales;                // [layers, 2, heads, dim / heads] of an 8-bit cache
  const float* const* memory_keys;    // [layers] of [rows, heads, memory, dim / heads]; null without a memory
  const float* const* memory_values;
  const float* known;  // [rows, known_steps, dim]
};

// A window's next step, and the number of positions in its cache.
struct Turn {
  const State* state;
  int64_t step, length;
};

}  // namespace segue
