// Captures as text: see saved_capture.hpp. MIT.
#include "saved_capture.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace segue {

namespace {

constexpr char mark[] = "segue-capture-1 ";
constexpr size_t mark_size = sizeof mark - 1;
constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr int64_t whole_max = (1 << 23) - 1;

struct Form {
    uint32_t sample_rate_hz, channels;
    uint64_t n_samples;
    int64_t position_samples;
    double start_beats, tempo_bpm;
    uint32_t numerator, denominator, role;
    int32_t exponent;  // a whole number w means w * 2^(exponent - 23)
};

// The smallest power of two that no sample exceeds.
int exponent_of(const float* values, int64_t count) {
    float peak = 0;
    for (int64_t i = 0; i < count; ++i) peak = std::max(peak, std::fabs(values[i]));
    int exponent = -20;
    if (std::isfinite(peak) && peak > 0) std::frexp(peak, &exponent);
    return std::min(std::max(exponent, -20), 40);
}

int64_t whole_of(float value, int exponent) {
    const double whole = std::nearbyint(std::ldexp(static_cast<double>(value), 23 - exponent));
    return static_cast<int64_t>(std::min<double>(std::max<double>(whole, -whole_max), whole_max));
}

float value_of(int64_t whole, int exponent) {
    return static_cast<float>(std::ldexp(static_cast<double>(whole), exponent - 23));
}

std::string coded(const std::string& bytes) {
    std::string text(mark);
    text.reserve(mark_size + (bytes.size() + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.size(); i += 3) {
        uint32_t word = 0;
        for (size_t k = 0; k < 3; ++k) word = word << 8 | (i + k < bytes.size() ? uint8_t(bytes[i + k]) : 0u);
        for (int k = 3; k >= 0; --k) text += digits[word >> (6 * k) & 63];
    }
    return text;
}

// The bytes in a base64 text; empty if it has an invalid character.
std::string decoded(const std::string& text, size_t letters) {
    std::array<int8_t, 256> values;
    values.fill(-1);
    for (int i = 0; i < 64; ++i) values[uint8_t(digits[i])] = static_cast<int8_t>(i);
    std::string bytes;
    bytes.reserve(letters / 4 * 3);
    for (size_t i = mark_size; i + 4 <= mark_size + letters; i += 4) {
        uint32_t word = 0;
        for (size_t k = 0; k < 4; ++k) {
            const int value = values[uint8_t(text[i + k])];
            if (value < 0) return "";
            word = word << 6 | static_cast<uint32_t>(value);
        }
        for (int k = 2; k >= 0; --k) bytes += static_cast<char>(word >> (8 * k) & 255);
    }
    return bytes;
}

constexpr size_t form_letters = (sizeof(Form) + 2) / 3 * 4;

bool power_of_two_to_64(uint32_t value) { return value > 0 && value <= 64 && (value & (value - 1)) == 0; }

bool good(const Form& form) {
    const bool counts = form.channels >= 1 && form.channels <= 2 && form.n_samples >= 1 &&
                        form.n_samples <= uint64_t(saved_values_max) / form.channels;
    const bool line = form.tempo_bpm >= 1 && form.tempo_bpm <= 1000 && std::fabs(form.start_beats) < 1e9;
    const bool meter = form.numerator >= 1 && form.numerator <= 64 && power_of_two_to_64(form.denominator);
    const bool rest = form.role <= 2 && form.exponent >= -20 && form.exponent <= 40;
    return counts && line && meter && rest && form.sample_rate_hz >= 8000 && form.sample_rate_hz <= 768000;
}

bool read_form(const std::string& text, Form& form) {
    if (text.compare(0, mark_size, mark) != 0 || text.size() < mark_size + form_letters) return false;
    const std::string bytes = decoded(text, form_letters);
    if (bytes.size() < sizeof form) return false;
    std::memcpy(&form, bytes.data(), sizeof form);
    const uint64_t wanted = good(form) ? sizeof form + 3 * form.n_samples * form.channels : 0;
    return wanted && text.size() == mark_size + (wanted + 2) / 3 * 4;
}

}  // namespace

void round_to_24_bits(Capture& capture) {
    float* values = capture.payload();
    const int64_t count = capture.n_samples() * capture.channels();
    const int exponent = exponent_of(values, count);
    for (int64_t i = 0; i < count; ++i)
        if (std::isfinite(values[i]))  // the engine refuses others
            values[i] = value_of(whole_of(values[i], exponent), exponent);
}

std::shared_ptr<const std::string> SavedCapture::write(const Capture& capture, int role) {
    const int64_t count = capture.n_samples() * capture.channels();
    if (count < 1 || count > saved_values_max) return nullptr;
    const segue_captured& about = capture.about();
    const float* values = capture.payload();
    const int exponent = exponent_of(values, count);
    const Form form{static_cast<uint32_t>(capture.sample_rate_hz()), static_cast<uint32_t>(capture.channels()),
                    about.n_samples, about.position_samples, about.start_beats, about.tempo_bpm,
                    about.signature_numerator, about.signature_denominator, static_cast<uint32_t>(role), exponent};
    std::string bytes(reinterpret_cast<const char*>(&form), sizeof form);
    bytes.reserve(sizeof form + 3 * static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
        const int64_t whole = whole_of(values[i], exponent);
        for (int k = 0; k < 3; ++k) bytes += static_cast<char>(whole >> (8 * k) & 255);
    }
    return std::make_shared<const std::string>(coded(bytes));
}

bool SavedCapture::look(const std::string& text, SavedCapture& found) {
    Form form{};
    if (!read_form(text, form)) return false;
    found.role = static_cast<int>(form.role);
    found.sample_rate_hz = static_cast<int>(form.sample_rate_hz);
    found.channels = static_cast<int>(form.channels);
    found.text = std::make_shared<const std::string>(text);
    return true;
}

std::unique_ptr<Capture> SavedCapture::capture(int number, std::string& why) const {
    Form form{};
    const std::string bytes = text && read_form(*text, form) ? decoded(*text, text->size() - mark_size) : "";
    const int64_t count = static_cast<int64_t>(form.n_samples) * form.channels;
    if (bytes.size() < sizeof form + 3 * static_cast<size_t>(count)) {
        why = "the captured music in the project is damaged";
        return nullptr;
    }
    auto made = Capture::create(number, sample_rate_hz, channels, static_cast<int64_t>(form.n_samples), why);
    if (!made) return nullptr;
    const auto* from = reinterpret_cast<const uint8_t*>(bytes.data()) + sizeof form;
    for (int64_t i = 0; i < count; ++i, from += 3) {
        const uint32_t high = uint32_t(from[0]) << 8 | uint32_t(from[1]) << 16 | uint32_t(from[2]) << 24;
        made->payload()[i] = value_of(static_cast<int32_t>(high) / 256, form.exponent);
    }
    segue_captured about{};
    about.n_samples = form.n_samples;
    about.position_samples = form.position_samples;
    about.start_beats = form.start_beats;
    about.tempo_bpm = form.tempo_bpm;
    about.signature_numerator = form.numerator;
    about.signature_denominator = form.denominator;
    made->put_whole(about);
    return made;
}

}  // namespace segue
