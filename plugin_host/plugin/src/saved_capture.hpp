// A capture as text, for the host's project: what the engine is conditioned on, so that it can be given again. MIT.
//
//   segue-capture-1 <base64>      a Form, then its samples as whole numbers of 24 bits, interleaved, little-endian
#pragma once
#include <memory>
#include <string>

#include "capture.hpp"

namespace segue {

// What is captured is kept whole, so this is also the longest that is recorded: five minutes of stereo at 48 kHz.
constexpr int64_t saved_values_max = 30000000;

struct SavedCapture {
    int role = 0;  // as the Mode parameter counts
    int sample_rate_hz = 48000, channels = 2;
    std::shared_ptr<const std::string> text;

    // What a project holds; false where it is no capture, or a damaged one.  [main]
    static bool look(const std::string& text, SavedCapture& found);
    // The capture as it was, whole; null and `why` where there is no memory or it is damaged.  [session]
    std::unique_ptr<Capture> capture(int number, std::string& why) const;
    // The text of a whole capture; nothing where it is too long.  [session]
    static std::shared_ptr<const std::string> write(const Capture& capture, int role);
};

// Round a whole capture to 24 bits under its peak: what is kept is then exactly what was handed over.  [session]
void round_to_24_bits(Capture& capture);

}  // namespace segue
