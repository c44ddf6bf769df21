// A capture as text, for the host's project: the audio that the engine has. MIT.
//
//   segue-capture-1 <base64>      a Form, then its samples as whole numbers of 24 bits, interleaved, little-endian
#pragma once
#include <memory>
#include <string>

#include "capture.hpp"

namespace segue {

// Captures are saved whole, so this is also the longest recording: five minutes of stereo at 48 kHz.
constexpr int64_t saved_values_max = 30000000;

struct SavedCapture {
    int role = 0;  // counted like Mode's entries
    int sample_rate_hz = 48000, channels = 2;
    std::shared_ptr<const std::string> text;

    // Read a project's text; false if it is no capture, or a damaged one.  [main]
    static bool look(const std::string& text, SavedCapture& found);
    // The whole capture; null and `why` if there is no memory or it is damaged.  [session]
    std::unique_ptr<Capture> capture(int number, std::string& why) const;
    // The text of a whole capture; empty if it is too long.  [session]
    static std::shared_ptr<const std::string> write(const Capture& capture, int role);
};

// Round a whole capture to 24 bits under its peak, so that the saved audio is exactly the audio sent.  [session]
void round_to_24_bits(Capture& capture);

}  // namespace segue
