// One hop of the embedded codec's phase reconstruction, as `engine.codec.rtisi` does it with numpy: two frames, their
// magnitudes known, their phases found in a few iterations. Everything is done in one order: the same bits every time.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "fourier.h"

namespace segue {
namespace {

constexpr int HOP = 320;
constexpr int PADDED = 656;  // bins, in whole vectors
constexpr int FIRST_NOISE_BIN = 40;
constexpr float SILENT_POWER = 1e-14f;

struct Complex {
  float re, im;
};

// Complex numbers of the two frames' bins.
struct alignas(64) Bins {
  float re[2][PADDED], im[2][PADDED];
  void put(int frame, int bin, Complex x) {
    re[frame][bin] = x.re;
    im[frame][bin] = x.im;
  }
};

}  // namespace

// What all hops share, and what is the two frames' own; equals `NativePhase` in library.py field by field.
struct Phase {
  int64_t iterations, pulses, pulses_inside;
  const float *window, *synthesis;
  const Complex *silence, *pulse;  // [641], [pulses, 2, 641]
  const float *earlier, *later;    // [641]; no later frame: null
  const uint8_t *noise, *rising_earlier, *rising_later;
  const Complex* noise_phase;  // [601]
  int64_t sudden;
  const float *base, *begun;  // [1600]; [1280] or null
  float* frames;              // [2, 1280]
};

namespace {

struct Hop {
  const Phase& p;
  alignas(64) float mags[2][PADDED] = {};
  alignas(64) float signal[FRAME + HOP];
  Signal in, out;
  Bins phase{};

  explicit Hop(const Phase& given) : p(given) {
    std::memcpy(mags[0], p.earlier, sizeof(float) * BINS);
    if (p.later) std::memcpy(mags[1], p.later, sizeof(float) * BINS);
  }

  // p.frames: both frames of these phases, as they are added to the output.
  void make_frames(const Bins& of) {
    for (int k = 0; k < BINS; ++k) {
      const bool edge = k == 0 || k == BINS - 1;
      const float ar = mags[0][k] * of.re[0][k], ai = edge ? 0.0f : mags[0][k] * of.im[0][k];
      const float br = mags[1][k] * of.re[1][k], bi = edge ? 0.0f : mags[1][k] * of.im[1][k];
      // conjugated, so that the same transform takes it back
      in.re[k] = ar - bi;
      in.im[k] = -(ai + br);
      if (!edge) {
        in.re[FRAME - k] = ar + bi;
        in.im[FRAME - k] = -(br - ai);
      }
    }
    fourier(in, out);
    for (int n = 0; n < FRAME; ++n) {
      p.frames[n] = out.re[n] * (1.0f / FRAME) * p.synthesis[n];
      p.frames[FRAME + n] = -out.im[n] * (1.0f / FRAME) * p.synthesis[n];
    }
  }

  // The output so far with one frame or both.
  void add(const float* first, const float* second) {
    std::memcpy(signal, p.base, sizeof(signal));
    if (first)
      for (int n = 0; n < FRAME; ++n) signal[n] += first[n];
    if (second)
      for (int n = 0; n < FRAME; ++n) signal[HOP + n] += second[n];
  }

  // Spectra of the signal's two frames.
  void analyse(Bins& to) {
    for (int n = 0; n < FRAME; ++n) {
      in.re[n] = signal[n] * p.window[n];
      in.im[n] = signal[HOP + n] * p.window[n];
    }
    fourier(in, out);
    for (int k = 0; k < BINS; ++k) {
      const int back = k == 0 ? 0 : FRAME - k;
      const float zr = out.re[k], zi = out.im[k], yr = out.re[back], yi = out.im[back];
      to.put(0, k, {0.5f * (zr + yr), 0.5f * (zi - yi)});
      to.put(1, k, {0.5f * (zi + yi), 0.5f * (yr - zr)});
    }
  }

  // Phase factors of the signal's frames; in silence fixed ones.
  void units() {
    analyse(phase);
    const __m512 least = _mm512_set1_ps(SILENT_POWER), one = _mm512_set1_ps(1.0f);
    for (int frame = 0; frame < 2; ++frame)
      for (int k = 0; k < PADDED; k += 16) {
        float *re = phase.re[frame] + k, *im = phase.im[frame] + k;
        const __m512 r = _mm512_load_ps(re), i = _mm512_load_ps(im), power = r * r + i * i;
        const __m512 scale = one / _mm512_sqrt_ps(_mm512_max_ps(power, least));
        _mm512_store_ps(re, r * scale);
        _mm512_store_ps(im, i * scale);
        for (uint32_t silent = _mm512_cmp_ps_mask(power, least, _CMP_LE_OQ); silent; silent &= silent - 1) {
          const int bin = k + __builtin_ctz(silent);
          if (bin < BINS) phase.put(frame, bin, p.silence[bin]);
        }
      }
  }

  void noisy() {
    for (int n = 0; n < BINS - FIRST_NOISE_BIN; ++n)
      if (p.noise[n]) phase.put(1, FIRST_NOISE_BIN + n, p.noise_phase[n]);
  }

  // Of these phases, and of these with a pulse at each time, one iteration of those nearest to the magnitudes.
  void attack() {
    alignas(64) float best[FRAME + HOP];
    double least = 0.0;
    Bins heard{};
    for (int64_t n = -1; n < p.pulses; ++n) {
      Bins tried = phase;
      if (n >= 0) {
        const Complex *first = p.pulse + 2 * n * BINS, *second = first + BINS;
        for (int k = 0; k < BINS; ++k) {
          if (p.rising_later[k]) tried.put(1, k, second[k]);
          if (n < p.pulses_inside && (p.rising_later[k] || p.rising_earlier[k])) tried.put(0, k, first[k]);
        }
      }
      make_frames(tried);
      add(p.frames, p.frames + FRAME);
      analyse(heard);
      double error = 0.0;
      for (int frame = 0; frame < 2; ++frame) {
        __m512 sum = _mm512_setzero_ps();
        for (int k = 0; k < PADDED; k += 16) {
          const __m512 r = _mm512_load_ps(heard.re[frame] + k), i = _mm512_load_ps(heard.im[frame] + k);
          const __m512 off = _mm512_sqrt_ps(r * r + i * i) - _mm512_load_ps(mags[frame] + k);
          sum = _mm512_fmadd_ps(off, off, sum);
        }
        error += double(_mm512_reduce_add_ps(sum));
      }
      if (n < 0 || error < least) {
        least = error;
        std::memcpy(best, signal, sizeof(signal));
      }
    }
    std::memcpy(signal, best, sizeof(signal));
    units();
  }

  void run() {
    const float* first = p.begun;
    if (!first) {
      add(nullptr, nullptr);
      units();
      make_frames(phase);
      first = p.frames;
    }
    add(first, nullptr);
    units();
    int64_t done = 1;
    if (p.later) {
      noisy();
      if (p.sudden) {
        attack();
        done = 2;
      }
    }
    make_frames(phase);
    for (; done < p.iterations; ++done) {
      add(p.frames, p.later ? p.frames + FRAME : nullptr);
      units();
      make_frames(phase);
    }
  }
};

}  // namespace
}  // namespace segue

// The two frames [2, 1280] whose phases are found: the settled one, and the later one's beginning.
extern "C" void segue_phase(const segue::Phase* given) { segue::Hop(*given).run(); }
