// One step of the language model for several windows: embeddings, layers with their caches, heads.
//
//   x  --norm1--> qkv --cache--> attend --> out +x  --norm_cross--> query --> cross --> cross_out +x
//      --norm2--> widen, GELU --> narrow +x                      ... out_norm --> logits
//
// Each of these is a phase, divided into pieces of a size that depends on the model alone: one thread computes each
// number in a fixed order, and each row separately, so that neither threads nor other windows change a result.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "attention.h"
#include "buffer.h"
#include "inputs.h"
#include "pool.h"

namespace segue {
namespace {

constexpr int64_t PIECE_BYTES = 65536;  // of weights
constexpr int64_t MAX_PIECE = 256;      // outputs
constexpr int64_t LEAST_PIECES = 16;    // of a matrix that has as many tiles

enum Part { QKV, ATTEND, OUT, QUERY, CROSS, CROSS_OUT, WIDEN, NARROW, LOGITS };

struct Phase {
  Part part;
  int64_t layer;
};

struct StepPlan : Plan {
  std::vector<Phase> phases;
};

double bytes_of(const Matrix& m) {
  constexpr double bytes[] = {4.0, 2.0, 1.0, 0.5};
  return bytes[m.kind];
}

// Outputs of a piece: whole tiles.
int64_t piece_of(const Matrix& m) {
  const auto most = int64_t(double(PIECE_BYTES) / (double(m.k) * bytes_of(m)));
  const int64_t wanted = std::min({most, m.n / LEAST_PIECES, MAX_PIECE});
  return std::max<int64_t>(wanted / LANES * LANES, LANES);
}

int64_t pieces_of(const Matrix& m) { return (m.n + piece_of(m) - 1) / piece_of(m); }

// A thread's own data.
struct Worker {
  Buffer<float> x, scales, scores;
  Buffer<int8_t> codes;
  Buffer<int32_t> offsets;
  Input input{};
  uint64_t stamp = ~uint64_t(0);  // of the phase whose input it holds
};

// A row of the step: its window, and its number there.
struct Row {
  const Turn* turn;
  int64_t index;
};

class Step final : public Work {
 public:
  explicit Step(const Model& model) : model_(model) {
    layers_.assign(model.layer, model.layer + model.layers);
    tables_.assign(model.tables, model.tables + model.codebooks);
    logits_.assign(model.logits, model.logits + model.codebooks);
    widest_ = rounded_up(std::max(model.dim, model.ffn), 64);
    x_.at_least(MAX_ROWS * model.dim);
    seen_.at_least(MAX_ROWS * model.dim);
    wide_.at_least(MAX_ROWS * std::max(3 * model.dim, model.ffn));
  }

  // Either all windows have a memory or none; together they have up to MAX_ROWS rows. Tokens [rows, codebooks], logits
  // [rows, codebooks, card], window after window.
  void run(const Turn* turns, int64_t count, const int64_t* tokens, int threads, float* logits) {
    std::lock_guard<std::mutex> hold(lock_);
    rows_.clear();
    for (const Turn* turn = turns; turn < turns + count; ++turn)
      for (int64_t r = 0; r < turn->state->rows; ++r) rows_.push_back({turn, r});
    made_ = logits;
    begin(tokens);
    prepare(threads);
    pool_.run(plan(), *this, threads);
  }

  void piece(int worker, int phase, uint64_t index, uint64_t stamp) override {
    Worker& own = *workers_[size_t(worker)];
    const Phase at = running_->phases[size_t(phase)];
    const Layer& layer = layers_[size_t(at.layer)];
    float *x = x_.get(), *seen = seen_.get(), *wide = wide_.get();
    const int64_t dim = model_.dim, ffn = model_.ffn;
    switch (at.part) {
      case QKV: return multiply(own, layer.qkv, x, dim, &layer.norm1, index, stamp, wide, 3 * dim, store);
      case ATTEND: return attend_self(own, at.layer, int64_t(index));
      case OUT: return multiply(own, layer.out, seen, dim, nullptr, index, stamp, x, dim, plus);
      case QUERY: return multiply(own, layer.query, x, dim, &layer.norm_cross, index, stamp, wide, dim, store);
      case CROSS: return attend_memory(own, at.layer, int64_t(index));
      case CROSS_OUT: return multiply(own, layer.cross_out, seen, dim, nullptr, index, stamp, x, dim, plus);
      case WIDEN: return multiply(own, layer.widen, x, dim, &layer.norm2, index, stamp, wide, ffn, gelu);
      case NARROW: return multiply(own, layer.narrow, wide, ffn, nullptr, index, stamp, x, dim, plus);
      case LOGITS: break;
    }
    const uint64_t each = uint64_t(pieces_of(logits_[0])), book = index / each;
    float* to = made_ + int64_t(book) * model_.card;
    const int64_t stride = model_.codebooks * model_.card;
    multiply(own, logits_[book], x, dim, &model_.out_norm, index % each, stamp, to, stride, store);
  }

 private:
  // The use of a product y: stored, added, or stored after GELU.
  static __m512 store(__m512 y, __m512) { return y; }
  static __m512 plus(__m512 y, __m512 there) { return add(y, there); }
  static __m512 gelu(__m512 y, __m512) { return segue::gelu(y); }

  int64_t count() const { return int64_t(rows_.size()); }
  const State& state_of(int64_t row) const { return *rows_[size_t(row)].turn->state; }

  // x = sum of the codebooks' embeddings + the step's known inputs.
  void begin(const int64_t* tokens) {
    const int64_t dim = model_.dim, books = model_.codebooks;
    for (int64_t r = 0; r < count(); ++r) {
      float* x = x_.get() + r * dim;
      const State& state = state_of(r);
      const Row& row = rows_[size_t(r)];
      const float* known = state.known + (row.index * state.known_steps + row.turn->step) * dim;
      for (int64_t i = 0; i < dim; ++i) x[i] = tables_[0][tokens[r * books] * dim + i];
      for (int64_t k = 1; k < books; ++k) {
        const float* found = tables_[size_t(k)] + tokens[r * books + k] * dim;
        for (int64_t i = 0; i < dim; ++i) x[i] += found[i];
      }
      for (int64_t i = 0; i < dim; ++i) x[i] += known[i];
    }
  }

  void prepare(int threads) {
    while (int(workers_.size()) < threads) workers_.push_back(std::make_unique<Worker>());
    int64_t longest = 0;
    for (int64_t r = 0; r < count(); ++r) longest = std::max({longest, state_of(r).capacity, state_of(r).memory});
    for (auto& own : workers_) {
      const int64_t most = MAX_ROWS * widest_;
      own->input.x = own->x.at_least(most);
      own->input.codes = own->codes.at_least(most);
      own->input.scales = own->scales.at_least(most / LANES);
      own->input.offsets = own->offsets.at_least(most / LANES);
      own->scores.at_least(rounded_up(longest, LANES));
    }
  }

  // The phases for this many rows, with or without a memory; made once.
  const StepPlan& plan() {
    const bool cross = state_of(0).memory_keys != nullptr;
    auto& kept = plans_[{count(), cross}];
    if (!kept) {
      kept = std::make_unique<StepPlan>();
      const int64_t units = count() * model_.heads;
      for (int64_t i = 0; i < model_.layers; ++i) {
        const Layer& layer = layers_[size_t(i)];
        const auto with = [&](Part part, int64_t pieces) { append(*kept, {part, i}, pieces); };
        with(QKV, pieces_of(layer.qkv));
        with(ATTEND, units);
        with(OUT, pieces_of(layer.out));
        if (cross) {
          with(QUERY, pieces_of(layer.query));
          with(CROSS, units);
          with(CROSS_OUT, pieces_of(layer.cross_out));
        }
        with(WIDEN, pieces_of(layer.widen));
        with(NARROW, pieces_of(layer.narrow));
      }
      append(*kept, {LOGITS, 0}, model_.codebooks * pieces_of(logits_[0]));
    }
    running_ = kept.get();
    return *kept;
  }

  static void append(StepPlan& plan, Phase phase, int64_t pieces) {
    plan.phases.push_back(phase);
    plan.ends.push_back((plan.ends.empty() ? 0 : plan.ends.back()) + uint64_t(pieces));
  }

  template <class Finish>
  void multiply(Worker& own, const Matrix& m, const float* from, int64_t from_stride, const Norm* norm, uint64_t index,
                uint64_t stamp, float* to, int64_t to_stride, Finish finish) {
    if (own.stamp != stamp) {
      make_input(m, from, from_stride, count(), norm, own.input);
      own.stamp = stamp;
    }
    alignas(64) float y[MAX_ROWS * MAX_PIECE];
    const int64_t start = int64_t(index) * piece_of(m), end = std::min(start + piece_of(m), m.n);
    product(m, own.input, count(), start, end, y, MAX_PIECE);
    for (int64_t r = 0; r < count(); ++r)
      for (int64_t i = start; i < end; i += LANES) {
        float* at = to + r * to_stride + i;
        const __mmask16 mask = first(end - i);
        const __m512 made = _mm512_loadu_ps(y + r * MAX_PIECE + i - start);
        _mm512_mask_storeu_ps(at, mask, finish(made, _mm512_maskz_loadu_ps(mask, at)));
      }
  }

  void attend_self(Worker& own, int64_t layer, int64_t unit) {
    const int64_t kind = state_of(unit / model_.heads).cache_kind;
    if (kind == INT8) return attend_cached<int8_t>(own, layer, unit);
    if (kind == BFLOAT16) return attend_cached<uint16_t>(own, layer, unit);
    attend_cached<float>(own, layer, unit);
  }

  // One head of one row: writes its new key and value into the cache, attends to all positions.
  template <class T>
  void attend_cached(Worker& own, int64_t layer, int64_t unit) {
    const int64_t width = model_.dim / model_.heads, head = unit % model_.heads, row = unit / model_.heads;
    const Row& its = rows_[size_t(row)];
    const State& state = state_of(row);
    const int64_t length = its.turn->length;
    const float* qkv = wide_.get() + row * 3 * model_.dim + head * width;
    T* parts[2];
    const float* scales[2] = {};
    for (int64_t part = 0; part < 2; ++part) {
      const int64_t at = ((layer * 2 + part) * state.all_rows + its.index) * model_.heads + head;
      parts[part] = static_cast<T*>(state.cache) + at * state.capacity * width;
      if (state.scales) scales[part] = state.scales + ((layer * 2 + part) * model_.heads + head) * width;
      keep(qkv + (part + 1) * model_.dim, width, scales[part], parts[part] + length * width);
    }
    float* seen = seen_.get() + row * model_.dim + head * width;
    alignas(64) float query[MAX_WIDTH] = {};
    const float unit_scale = 1.0f / std::sqrt(float(width));
    for (int64_t i = 0; i < width; ++i) query[i] = qkv[i] * unit_scale * (scales[0] ? scales[0][i] : 1.0f);
    if (sizeof(T) == 2) halves_apart(query, rounded_up(width, 32));
    attend(parts[0], parts[1], length + 1, width, query, own.scores.get(), seen);
    if (scales[1])
      for (int64_t i = 0; i < width; ++i) seen[i] *= scales[1][i];
  }

  static void keep(const float* from, int64_t width, const float*, float* to) {
    std::memcpy(to, from, size_t(width) * sizeof(float));
  }
  static void keep(const float* from, int64_t width, const float*, uint16_t* to) {  // round to nearest, halves to even
    for (int64_t i = 0; i < width; ++i) {
      uint32_t code;
      std::memcpy(&code, from + i, 4);
      to[i] = uint16_t((code + 0x7fff + ((code >> 16) & 1)) >> 16);
    }
  }
  static void keep(const float* from, int64_t width, const float* scales, int8_t* to) {
    for (int64_t i = 0; i < width; i += LANES) {
      const __mmask16 mask = first(width - i);
      const __m512 there = _mm512_maskz_loadu_ps(mask, from + i), scale = _mm512_maskz_loadu_ps(mask, scales + i);
      const __m512 steps = _mm512_min_ps(_mm512_maskz_div_ps(mask, there, scale), _mm512_set1_ps(127.0f));
      const __m512i code = _mm512_cvtps_epi32(_mm512_max_ps(steps, _mm512_set1_ps(-127.0f)));
      _mm_mask_storeu_epi8(to + i, mask, _mm512_cvtsepi32_epi8(code));
    }
  }

  void attend_memory(Worker& own, int64_t layer, int64_t unit) {
    const int64_t width = model_.dim / model_.heads, head = unit % model_.heads, row = unit / model_.heads;
    const State& state = state_of(row);
    const int64_t at = row * model_.dim + head * width;
    const int64_t memory = (rows_[size_t(row)].index * model_.heads + head) * state.memory * width;
    alignas(64) float query[MAX_WIDTH] = {};
    const float unit_scale = 1.0f / std::sqrt(float(width));
    for (int64_t i = 0; i < width; ++i) query[i] = wide_.get()[at + i] * unit_scale;
    attend(state.memory_keys[layer] + memory, state.memory_values[layer] + memory, state.memory, width, query,
           own.scores.get(), seen_.get() + at);
  }

  Model model_;
  std::vector<Layer> layers_;
  std::vector<const float*> tables_;
  std::vector<Matrix> logits_;
  int64_t widest_ = 0;
  Buffer<float> x_, seen_, wide_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::map<std::pair<int64_t, bool>, std::unique_ptr<StepPlan>> plans_;
  const StepPlan* running_ = nullptr;
  std::vector<Row> rows_;  // of the present step
  float* made_ = nullptr;
  std::mutex lock_;
  Pool pool_;  // last member: its threads end before the data that they use
};

}  // namespace
}  // namespace segue

extern "C" {

void* segue_open(const segue::Model* model) { return new segue::Step(*model); }

void segue_close(void* step) { delete static_cast<segue::Step*>(step); }

void segue_step(void* step, const segue::Turn* turns, int64_t count, const int64_t* tokens, int64_t threads,
                float* logits) {
  static_cast<segue::Step*>(step)->run(turns, count, tokens, int(threads), logits);
}
}
