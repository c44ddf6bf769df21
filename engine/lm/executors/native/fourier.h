// A Fourier transform of 1280 complex numbers, which is that of two frames of 1280 samples at once, as real and
// imaginary part. 1280 = 16 x 5 x 16: all but the last step work on 16 neighbouring samples at a time.
#pragma once

#include <immintrin.h>

#include <cmath>

namespace segue {

constexpr int FRAME = 1280;
constexpr int BINS = FRAME / 2 + 1;
constexpr int ROWS = FRAME / 16;  // 80 = 5 x 16

// 16 complex numbers.
struct Wave {
  __m512 re, im;
};

inline Wave operator+(Wave a, Wave b) { return {a.re + b.re, a.im + b.im}; }
inline Wave operator-(Wave a, Wave b) { return {a.re - b.re, a.im - b.im}; }
inline Wave operator*(Wave a, float b) { return {a.re * b, a.im * b}; }
inline Wave operator*(Wave a, Wave b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
inline Wave turned(Wave a) { return {a.im, -a.re}; }  // times -i

struct alignas(64) Signal {
  float re[FRAME], im[FRAME];
  Wave at(int row) const { return {_mm512_load_ps(re + 16 * row), _mm512_load_ps(im + 16 * row)}; }
  void put(int row, Wave x) {
    _mm512_store_ps(re + 16 * row, x.re);
    _mm512_store_ps(im + 16 * row, x.im);
  }
};

struct alignas(64) Twiddles {
  float of16_re[16], of16_im[16];      // e^(-2 pi i n / 16)
  float of80_re[80], of80_im[80];      // by 16 b + c: e^(-2 pi i b c / 80)
  Signal of1280;                       // by 16 k + n: e^(-2 pi i k n / 1280)
  Twiddles() {
    const double turn = -2.0 * std::acos(-1.0);
    for (int n = 0; n < 16; ++n) {
      of16_re[n] = float(std::cos(turn * n / 16));
      of16_im[n] = float(std::sin(turn * n / 16));
    }
    for (int b = 0; b < 5; ++b)
      for (int c = 0; c < 16; ++c) {
        of80_re[16 * b + c] = float(std::cos(turn * b * c / 80));
        of80_im[16 * b + c] = float(std::sin(turn * b * c / 80));
      }
    for (int k = 0; k < ROWS; ++k)
      for (int n = 0; n < 16; ++n) {
        of1280.re[16 * k + n] = float(std::cos(turn * k * n / FRAME));
        of1280.im[16 * k + n] = float(std::sin(turn * k * n / FRAME));
      }
  }
};

inline const Twiddles& twiddles() {
  static const Twiddles made;
  return made;
}

inline Wave spread(float re, float im) { return {_mm512_set1_ps(re), _mm512_set1_ps(im)}; }

inline void fourier4(Wave& a, Wave& b, Wave& c, Wave& d) {
  const Wave even = a + c, odd = a - c, sum = b + d, skew = turned(b - d);
  a = even + sum;
  b = odd + skew;
  c = even - sum;
  d = odd - skew;
}

// The transform of x[0..15], in place and in order.
inline void fourier16(Wave* x, const Twiddles& t) {
  for (int i = 0; i < 4; ++i) fourier4(x[i], x[i + 4], x[i + 8], x[i + 12]);
  for (int i = 1; i < 4; ++i)
    for (int j = 1; j < 4; ++j) x[i + 4 * j] = x[i + 4 * j] * spread(t.of16_re[i * j], t.of16_im[i * j]);
  for (int j = 0; j < 4; ++j) fourier4(x[4 * j], x[4 * j + 1], x[4 * j + 2], x[4 * j + 3]);
  for (int i = 0; i < 4; ++i)
    for (int j = i + 1; j < 4; ++j) std::swap(x[4 * i + j], x[4 * j + i]);
}

inline void fourier5(Wave* x) {
  const float c1 = 0.30901699437f, c2 = -0.80901699437f, s1 = 0.95105651630f, s2 = 0.58778525229f;
  const Wave a = x[1] + x[4], b = x[2] + x[3], p = x[1] - x[4], q = x[2] - x[3];
  const Wave m1 = x[0] + a * c1 + b * c2, m2 = x[0] + a * c2 + b * c1;
  const Wave n1 = turned(p * s1 + q * s2), n2 = turned(p * s2 - q * s1);
  x[0] = x[0] + a + b;
  x[1] = m1 + n1;
  x[4] = m1 - n1;
  x[2] = m2 + n2;
  x[3] = m2 - n2;
}

// y = the transform of x; both stay apart.
inline void fourier(const Signal& x, Signal& y) {
  const Twiddles& t = twiddles();
  Signal between;
  for (int b = 0; b < 5; ++b) {
    Wave some[16];
    for (int a = 0; a < 16; ++a) some[a] = x.at(5 * a + b);
    fourier16(some, t);
    for (int c = 0; c < 16; ++c)
      between.put(16 * b + c, some[c] * spread(t.of80_re[16 * b + c], t.of80_im[16 * b + c]));
  }
  Signal columns;
  for (int c = 0; c < 16; ++c) {
    Wave some[5];
    for (int b = 0; b < 5; ++b) some[b] = between.at(16 * b + c);
    fourier5(some);
    for (int d = 0; d < 5; ++d) columns.put(c + 16 * d, some[d] * t.of1280.at(c + 16 * d));
  }
  for (int block = 0; block < 5; ++block) {
    alignas(64) float re[16][16], im[16][16];
    for (int k = 0; k < 16; ++k)
      for (int n = 0; n < 16; ++n) {
        re[n][k] = columns.re[16 * (16 * block + k) + n];
        im[n][k] = columns.im[16 * (16 * block + k) + n];
      }
    Wave some[16];
    for (int n = 0; n < 16; ++n) some[n] = {_mm512_load_ps(re[n]), _mm512_load_ps(im[n])};
    fourier16(some, t);
    for (int k = 0; k < 16; ++k) y.put(5 * k + block, some[k]);
  }
}

}  // namespace segue
