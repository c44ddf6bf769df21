// What `segue_draw` is told; field by field as `engine.lm.executors.native.library` declares it.
#pragma once

#include <cstdint>

namespace segue {

// Of logits [rows, codebooks, card]. `top_k` from 1 to `card`; `wav_over_text` counts with three rows only.
struct Draw {
  int64_t rows, codebooks, card, top_k;
  float coef, wav_over_text, temperature;
};

}  // namespace segue
