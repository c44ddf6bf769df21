// Sixteen floats at a time: sums, exp, GELU, LayerNorm. Every result is made in a fixed order.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace segue {

constexpr int LANES = 16;
constexpr int MAX_ROWS = 16;
constexpr int64_t AHEAD = 4096;  // bytes: a page, the limit of the processor's own prefetching

// Prefetch memory after `p` into the second cache, which is faster than into the first.
inline void ask(const void* p) { _mm_prefetch(static_cast<const char*>(p) + AHEAD, _MM_HINT_T1); }

inline int64_t rounded_up(int64_t count, int64_t to) { return (count + to - 1) / to * to; }

// Mask of the first `count` lanes: none for 0 and below, all from 16 on.
inline __mmask16 first(int64_t count) {
  return count >= LANES ? __mmask16(0xffff) : count <= 0 ? __mmask16(0) : __mmask16((1u << count) - 1u);
}
inline __mmask32 first32(int64_t count) {
  return count >= 32 ? ~__mmask32(0) : count <= 0 ? __mmask32(0) : __mmask32((1u << count) - 1u);
}
inline __mmask64 first64(int64_t count) {
  return count >= 64 ? ~__mmask64(0) : count <= 0 ? __mmask64(0) : __mmask64((uint64_t(1) << count) - 1u);
}

inline __m512 add(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }
inline __m512i add(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
inline __m512i bits(__m512 a) { return _mm512_castps_si512(a); }
inline __m512i bits(__m512i a) { return a; }
inline void set(__m512& to, __m512i from) { to = _mm512_castsi512_ps(from); }
inline void set(__m512i& to, __m512i from) { to = from; }

template <class V>
inline V both(V like, __m512i low, __m512i high) {
  V a = like, b = like;
  set(a, low);
  set(b, high);
  return add(a, b);
}

// Sums of 16 vectors' lanes: lane i of the result is the sum of v[i].
template <class V>
inline V sums(V* v) {
  for (int i = 0; i < 8; ++i)
    v[i] = both(v[0], _mm512_unpacklo_epi32(bits(v[2 * i]), bits(v[2 * i + 1])),
                _mm512_unpackhi_epi32(bits(v[2 * i]), bits(v[2 * i + 1])));
  for (int i = 0; i < 4; ++i)
    v[i] = both(v[0], _mm512_unpacklo_epi64(bits(v[2 * i]), bits(v[2 * i + 1])),
                _mm512_unpackhi_epi64(bits(v[2 * i]), bits(v[2 * i + 1])));
  for (int n = 2; n > 0; n /= 2)
    for (int i = 0; i < n; ++i)
      v[i] = both(v[0], _mm512_shuffle_i32x4(bits(v[2 * i]), bits(v[2 * i + 1]), 0x88),
                  _mm512_shuffle_i32x4(bits(v[2 * i]), bits(v[2 * i + 1]), 0xdd));
  return v[0];
}

// e^x, a relative error of about 1e-7; 0 far below.
inline __m512 exp(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-104.0f));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.9875691500e-4f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
  p = _mm512_fmadd_ps(_mm512_mul_ps(p, r), r, _mm512_add_ps(r, _mm512_set1_ps(1.0f)));
  return _mm512_scalef_ps(p, n);
}

// x / 2 * (1 + erf(x / sqrt 2)). erfc by a Chebyshev fit (Numerical Recipes), a relative error of 1.2e-7.
inline __m512 gelu(__m512 x) {
  constexpr float fit[] = {0.17087277f, -0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f,
                           -0.18628806f, 0.09678418f, 0.37409196f, 1.00002368f, -1.26551223f};
  const __m512 z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.70710678f));
  const __m512 t = _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_fmadd_ps(z, _mm512_set1_ps(0.5f), _mm512_set1_ps(1.0f)));
  __m512 p = _mm512_set1_ps(fit[0]);
  for (int i = 1; i < 10; ++i) p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(fit[i]));
  const __m512 tail = _mm512_mul_ps(t, exp(_mm512_fnmadd_ps(z, z, p)));  // erfc(|x| / sqrt 2)
  const __mmask16 below = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
  const __m512 twice = _mm512_mask_blend_ps(below, _mm512_sub_ps(_mm512_set1_ps(2.0f), tail), tail);
  return _mm512_mul_ps(_mm512_mul_ps(x, _mm512_set1_ps(0.5f)), twice);
}

// y = LayerNorm(x) * weight + bias over `width` numbers.
inline void layer_norm(const float* x, const float* weight, const float* bias, int64_t width, float eps, float* y) {
  __m512 sum = _mm512_setzero_ps(), square = _mm512_setzero_ps();
  for (int64_t i = 0; i < width; i += LANES) sum = add(sum, _mm512_maskz_loadu_ps(first(width - i), x + i));
  const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / float(width));
  for (int64_t i = 0; i < width; i += LANES) {
    const __mmask16 mask = first(width - i);
    const __m512 d = _mm512_maskz_sub_ps(mask, _mm512_maskz_loadu_ps(mask, x + i), mean);
    square = _mm512_fmadd_ps(d, d, square);
  }
  const float variance = _mm512_reduce_add_ps(square) / float(width);
  const __m512 scale = _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_sqrt_ps(_mm512_set1_ps(variance + eps)));
  for (int64_t i = 0; i < width; i += LANES) {
    const __mmask16 mask = first(width - i);
    const __m512 d = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), mean), scale);
    const __m512 w = _mm512_maskz_loadu_ps(mask, weight + i), b = _mm512_maskz_loadu_ps(mask, bias + i);
    _mm512_mask_storeu_ps(y + i, mask, _mm512_fmadd_ps(d, w, b));
  }
}

}  // namespace segue
