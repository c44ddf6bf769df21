// The arguments of `segue_draw`, field by field as in `engine.lm.executors.native.library`.
#pragma once

#include <cstdint>

namespace segue {

// Settings for logits [rows, codebooks, card]. `top_k` from 1 to `card`; `wav_over_text` is used with three rows only.
struct Draw {
  int64_t rows, codebooks, card, top_k;
  float coef, wav_over_text, temperature;
};

}  // namespace segue
