// Fourier transforms of the session's thread: of a length that is a power of two, in place. MIT.
#pragma once
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <map>
#include <vector>

namespace segue {

constexpr double two_pi = 6.28318530717958648;
constexpr double width_hz = 70;  // over which powers are averaged

using Samples = std::vector<double>;
using Spectrum = std::vector<std::complex<double>>;

inline size_t power_of_two(int64_t least) {
    size_t size = 1;
    while (size < static_cast<size_t>(least)) size *= 2;
    return size;
}

// The factors of a transform of this size, length after length.
inline const Spectrum& turns(size_t n) {
    static thread_local std::map<size_t, Spectrum> known;
    Spectrum& turn = known[n];
    for (size_t length = 2; turn.size() + 1 < n; length *= 2)
        for (size_t k = 0; k < length / 2; ++k)
            turn.push_back(std::polar(1.0, -two_pi * static_cast<double>(k) / static_cast<double>(length)));
    return turn;
}

inline void transform(Spectrum& a, bool back) {
    const size_t n = a.size();
    for (size_t i = 1, j = 0; i < n; ++i) {
        size_t bit = n >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) std::swap(a[i], a[j]);
    }
    const double* turn = reinterpret_cast<const double*>(turns(n).data());
    double* out = reinterpret_cast<double*>(a.data());
    const double way = back ? -1 : 1;
    for (size_t length = 2; length <= n; length *= 2) {
        const double* by = turn + 2 * (length / 2 - 1);
        for (size_t i = 0; i < 2 * n; i += 2 * length)
            for (size_t k = 0; k < length; k += 2) {
                double *even = out + i + k, *odd = even + length;
                const double wr = by[k], wi = way * by[k + 1];
                const double re = wr * odd[0] - wi * odd[1], im = wr * odd[1] + wi * odd[0];
                odd[0] = even[0] - re;
                odd[1] = even[1] - im;
                even[0] += re;
                even[1] += im;
            }
    }
    if (back)
        for (size_t i = 0; i < 2 * n; ++i) out[i] /= static_cast<double>(n);
}

// The spectrum of samples placed from `at` on.
inline Spectrum spectrum(const double* samples, size_t count, size_t at, size_t size) {
    Spectrum out(size);
    for (size_t i = 0; i < count; ++i) out[at + i] = samples[i];
    transform(out, false);
    return out;
}

// a conj(b), with weights, in the time domain.
inline Samples correlated(const Spectrum& a, const Spectrum& b, const Samples& weight, double scale) {
    Spectrum cross(a.size());
    for (size_t f = 0; f < a.size(); ++f) cross[f] = weight[f] * a[f] * std::conj(b[f]);
    transform(cross, true);
    Samples out(a.size());
    for (size_t i = 0; i < a.size(); ++i) out[i] = scale * cross[i].real();
    return out;
}

// Power averaged over neighbouring frequencies, round the circle.
inline Samples smooth_power(const Spectrum& of, int rate) {
    const size_t n = of.size(), half = std::max<size_t>(1, static_cast<size_t>(width_hz * static_cast<double>(n) / rate / 2));
    const size_t width = std::min(2 * half + 1, n);
    Samples out(n);
    double sum = 0;
    for (size_t i = 0; i < width; ++i) sum += std::norm(of[(i + n - half) % n]);
    for (size_t f = 0; f < n; ++f) {
        out[f] = std::max(sum, 0.0) / static_cast<double>(width);
        sum += std::norm(of[(f + half + 1) % n]) - std::norm(of[(f + n - half) % n]);
    }
    return out;
}

// A part that begins and ends softly.
inline Samples rounded(const double* samples, size_t n) {
    Samples out(n);
    for (size_t i = 0; i < n; ++i)
        out[i] = samples[i] * (0.5 - 0.5 * std::cos(two_pi * static_cast<double>(i) / static_cast<double>(n)));
    return out;
}

}  // namespace segue
