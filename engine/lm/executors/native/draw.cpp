// One token a codebook: guidance, softmax, top-k, the draw, by the rules of core/guidance.py and core/sampling.py.
// All on the calling thread, in a fixed order.
#include "draw.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "vectors.h"

namespace segue {
namespace {

constexpr uint32_t BINS = 2048;  // of sign, exponent and three bits of the fraction
constexpr float LEAST_NOISE = 1e-30f;  // as in engine.core.sampling

__m512 from_row(const Draw& how, const float* logits, int64_t row, int64_t at, __mmask16 mask) {
  return _mm512_maskz_loadu_ps(mask, logits + row * how.codebooks * how.card + at);
}

// Null + coef * (conditional - null); with three rows the conditional one is mixed with that of the wav alone.
__m512 guided(const Draw& how, const float* logits, int64_t at, __mmask16 mask) {
  __m512 told = from_row(how, logits, 0, at, mask);
  if (how.rows == 1) return told;
  if (how.rows == 3) {
    const __m512 wav = from_row(how, logits, 1, at, mask);
    told = add(wav, _mm512_mul_ps(_mm512_set1_ps(how.wav_over_text), _mm512_sub_ps(told, wav)));
  }
  const __m512 null = from_row(how, logits, how.rows - 1, at, mask);
  return add(null, _mm512_mul_ps(_mm512_set1_ps(how.coef), _mm512_sub_ps(told, null)));
}

// Probabilities of a codebook into `p`; NaN is never drawn.
void softmax(const Draw& how, const float* logits, int64_t book, float* p) {
  const __m512 temperature = _mm512_set1_ps(how.temperature);
  __m512 most = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < how.card; i += LANES) {
    const __mmask16 mask = first(how.card - i);
    const __m512 score = _mm512_div_ps(guided(how, logits, book * how.card + i, mask), temperature);
    _mm512_mask_storeu_ps(p + i, mask, score);
    most = _mm512_mask_max_ps(most, mask & _mm512_cmp_ps_mask(score, score, _CMP_ORD_Q), most, score);
  }
  const __m512 highest = _mm512_set1_ps(_mm512_reduce_max_ps(most));
  for (int64_t i = 0; i < how.card; i += LANES) {
    const __mmask16 mask = first(how.card - i);
    const __m512 below = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, p + i), highest);
    const __mmask16 numbers = mask & _mm512_cmp_ps_mask(below, below, _CMP_ORD_Q);
    const __m512 weight = _mm512_maskz_mov_ps(numbers, exp(below));
    _mm512_mask_storeu_ps(p + i, mask, weight);
    sum = add(sum, weight);
  }
  const float all = _mm512_reduce_add_ps(sum);
  for (int64_t i = 0; i < how.card; ++i) p[i] /= all > 0.0f ? all : 1.0f;
}

// For non-negative numbers, larger ones have larger bits.
uint32_t bin_of(float number) {
  uint32_t code;
  std::memcpy(&code, &number, 4);
  return code >> 20;
}

// The k-th largest: found in a histogram, then among the numbers of its bin, which are copied to `room`.
float kth_largest(const float* p, int64_t card, int64_t k, std::vector<float>& room) {
  if (k >= card) return 0.0f;
  int64_t counts[BINS] = {};
  for (int64_t i = 0; i < card; ++i) ++counts[bin_of(p[i])];
  uint32_t bin = BINS - 1;
  for (; counts[bin] < k; --bin) k -= counts[bin];
  room.clear();
  for (int64_t i = 0; i < card; ++i)
    if (bin_of(p[i]) == bin) room.push_back(p[i]);
  std::nth_element(room.begin(), room.begin() + (k - 1), room.end(), std::greater<float>());
  return room[size_t(k - 1)];
}

// The entry that is largest after division by numbers from an exponential distribution.
int64_t drawn(const float* p, int64_t card, float smallest, const float* uniform) {
  float sum = 0.0f, best = -1.0f;
  for (int64_t i = 0; i < card; ++i) sum += p[i] >= smallest ? p[i] : 0.0f;
  int64_t found = 0;
  for (int64_t i = 0; i < card; ++i) {
    if (p[i] < smallest || p[i] <= 0.0f) continue;
    const float chance = p[i] / sum / std::max(-std::log(uniform[i]), LEAST_NOISE);
    if (chance > best) best = chance, found = i;
  }
  return found;
}

}  // namespace
}  // namespace segue

// Tokens [codebooks] from logits [rows, codebooks, card] and numbers between 0 and 1 [codebooks, card].
extern "C" void segue_draw(const segue::Draw* how, const float* logits, const float* uniform, int64_t* tokens) {
  std::vector<float> p(size_t(how->card)), room;
  for (int64_t book = 0; book < how->codebooks; ++book) {
    segue::softmax(*how, logits, book, p.data());
    const float smallest = segue::kth_largest(p.data(), how->card, how->top_k, room);
    tokens[book] = segue::drawn(p.data(), how->card, smallest, uniform + book * how->card);
  }
}
