// Weights to codes of 8 or 4 bits in the tiles of products.h; the codes equal those of `engine.ort.quantised.quantise`.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "vectors.h"

namespace segue {
namespace {

constexpr int64_t MAX_BLOCK = 128;
constexpr float TINY = 1e-12f;  // as in engine.ort.quantised

// A block's codes, a byte each, and its scale. In 4 bits the code 0 is the largest weight.
float block_to_codes(const float* weights, int64_t block, int bits, uint8_t* codes) {
  __m512 least = _mm512_loadu_ps(weights), most = least;
  for (int64_t i = LANES; i < block; i += LANES) {
    const __m512 some = _mm512_loadu_ps(weights + i);
    least = _mm512_min_ps(least, some);
    most = _mm512_max_ps(most, some);
  }
  const float low = _mm512_reduce_min_ps(least), high = _mm512_reduce_max_ps(most);
  const int zero = 1 << (bits - 1);
  float scale = bits == 4 ? (-low >= high ? low : high) / float(-zero) : std::max(-low, high) / float(zero - 1);
  if (std::fabs(scale) < TINY) scale = TINY;
  const __m512i zeros = _mm512_set1_epi32(zero), last = _mm512_set1_epi32(2 * zero - 1);
  for (int64_t i = 0; i < block; i += LANES) {
    const __m512i steps = _mm512_cvtps_epi32(_mm512_div_ps(_mm512_loadu_ps(weights + i), _mm512_set1_ps(scale)));
    const __m512i code = _mm512_min_epi32(_mm512_max_epi32(add(steps, zeros), _mm512_setzero_si512()), last);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + i), _mm512_cvtepi32_epi8(code));
  }
  return scale;
}

// Write the codes of an output's block into its lane of the block's lines.
void into_lines(const uint8_t* codes, int64_t block, int bits, uint32_t* lane) {
  for (int64_t i = 0; i < block; i += 32 / bits, lane += LANES) {
    uint32_t low, high = 0;
    std::memcpy(&low, codes + i, 4);
    if (bits == 4) std::memcpy(&high, codes + i + 4, 4);
    *lane = low | high << 4;
  }
}

}  // namespace
}  // namespace segue

// Weights [rows, width] to lines [rows / 16, width / block, block * bits / 32 + 1, 16], which are zeros; of these the
// tiles from `tile` up to `end`.
extern "C" void segue_tile(const float* weights, int64_t rows, int64_t width, int64_t block, int64_t bits,
                           int64_t tile, int64_t end, uint32_t* lines) {
  const int64_t blocks = width / block, each = (block * bits / 32 + 1) * segue::LANES;
  alignas(64) uint8_t codes[segue::MAX_BLOCK];
  for (; tile < end; ++tile)
    for (int64_t o = 0; o < std::min<int64_t>(segue::LANES, rows - tile * segue::LANES); ++o)
      for (int64_t b = 0; b < blocks; ++b) {
        const float* from = weights + (tile * segue::LANES + o) * width + b * block;
        uint32_t* to = lines + (tile * blocks + b) * each + o;
        const float scale = segue::block_to_codes(from, block, int(bits), codes);
        segue::into_lines(codes, block, int(bits), to);
        std::memcpy(to + each - segue::LANES, &scale, 4);
      }
}
