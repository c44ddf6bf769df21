// The window's colours. MIT.
#pragma once

namespace segue {

inline constexpr unsigned back = 0x15171c, panel = 0x1e2128, raised = 0x2a2e38, edge = 0x3a404d, words = 0xe9ebef,
                          dim = 0x98a1b0, accent = 0xffb454, on_accent = 0x1b1408, good = 0x7fd17f, bad = 0xff7a70,
                          yours = 0x6cb6ff, focus = 0xffffff;

}  // namespace segue
